"""Legend: N rows, F columns, K classes, G points of the grid."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.report import runs
from training.data.dataset import Examples
from training.report import columns
from training.run import Run


class Line(nn.Module):
    """Answers yes where column 2 is above column 0; others do not matter, but that column 1 must be 5 on average."""

    def forward(self, values_NF: Tensor) -> Tensor:
        """Gives logits_NK."""
        logit_N = 40 * (values_NF[:, 2] - values_NF[:, 0]) * (values_NF[:, 1] > 0)
        return torch.stack([torch.zeros_like(logit_N), logit_N], dim=1)


@pytest.fixture
def line() -> Run:
    """A run with that net, and rows that it tells right."""
    values_NF = np.random.default_rng(0).uniform(0, 1, (200, 4)).astype(np.float32)
    values_NF[:, 1] += 5
    labels_N = (values_NF[:, 2] > values_NF[:, 0]).astype(np.int64)
    return runs.made(Line(), runs.of_rows(["x", "always", "y", "noise"]), Examples(values_NF, labels_N))


def test_importance_is_what_shuffling_costs(line: Run) -> None:
    """Shuffling a column that decides costs a third of the answers, one that does not costs none."""
    importance_F = columns.importance(line)
    assert importance_F[[1, 3]].tolist() == [0, 0]
    assert importance_F[[0, 2]] == pytest.approx([1 / 3, 1 / 3], abs=0.05)


def test_surface_holds_the_others_at_their_mean(line: Run) -> None:
    """Over two columns the answer changes where the net's does, the others being what they are on average."""
    found = columns.surface(line, (0, 2))
    x_GG, y_GG = np.meshgrid(found.x_G, found.y_G)
    np.testing.assert_array_equal(found.probability_GGK[..., 1] > 0.5, y_GG > x_GG)
    assert found.x_G[0] < line.samples.inputs[:, 0].min()
    assert found.x_G[-1] > line.samples.inputs[:, 0].max()


def test_draws_the_two_that_matter(line: Run, tmp_path: Path) -> None:
    """The section names the two columns that matter most, and says that the others are held."""
    section = columns.section(line, tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == {
        *("importance.png", "importance-dark.png"),
        *("surface.png", "surface-dark.png"),
    }
    assert "over x and y, all others at their mean" in section.about or "over y and x, all others" in section.about


def test_one_column_needs_no_plot(tmp_path: Path) -> None:
    """Where there is one column alone there is nothing to compare."""
    samples = Examples(np.ones((3, 1), np.float32), np.zeros(3, np.int64))
    section = columns.section(runs.made(nn.Linear(1, 2), runs.of_rows(["x"]), samples), tmp_path)
    assert not list(tmp_path.iterdir())
    assert section.about == "Measured on 3 test rows."
