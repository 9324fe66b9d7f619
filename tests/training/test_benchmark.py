import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from training.benchmark import Course, bare, benchmark, first, ours, plan


@pytest.fixture(scope="module")
def course(idx_dir: Path) -> Course:
    """Three timed steps of LeNet-5."""
    return plan("lenet5", str(idx_dir), steps=3, batch_size=16, accelerator="cpu")


def test_both_loops_do_the_same(course: Course) -> None:
    """The bare loop ends with the weights of `hondo train`'s: it leaves nothing out that would take time."""
    mine, other = ours(course), bare(course)
    torch.testing.assert_close(mine.net.state_dict(), other.net.state_dict(), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(mine.net.get_parameter("f6.weight"), first(course).net.get_parameter("f6.weight"))
    assert mine.seconds > 0
    assert other.seconds > 0


def test_prints_each_round_and_the_ratio(idx_dir: Path) -> None:
    """Each round has both rates and their ratio; the last line is the median."""
    few = ["--steps", "2", "--rounds", "3", "--batch-size", "8", "--accelerator", "cpu"]
    result = CliRunner().invoke(benchmark, ["lenet5", "--data", str(idx_dir), *few], catch_exceptions=False)
    rows = re.findall(r"round \d  hondo +([\d,.]+)/s  bare +([\d,.]+)/s  ratio ([\d.]+)", result.output)
    assert len(rows) == 3
    for mine, other, ratio in rows:
        assert float(mine.replace(",", "")) / float(other.replace(",", "")) == pytest.approx(float(ratio), rel=0.01)
    assert result.output.splitlines()[-1] == f"median ratio {sorted(float(row[2]) for row in rows)[1]:.3f}"
