"""Legend: N examples, H height, W width, C channels, F columns."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.report import runs
from training.answers import judge
from training.data.dataset import Examples
from training.report import mistakes
from training.review import review

PROBABILITY_NK = np.array([[0.9, 0.1], [0.4, 0.6], [0.9995, 0.0005]], np.float32)
LABELS_N = np.array([0, 0, 1])


@pytest.mark.parametrize("channels", [1, 3])
def test_shows_pictures(tmp_path: Path, channels: int) -> None:
    """Each mistake is the picture itself, with the answer, the truth and both probabilities, the worst first."""
    inputs_NHWC = np.random.default_rng(0).integers(0, 256, (3, 4, 5, channels), dtype=np.uint8)
    made = review(judge(PROBABILITY_NK, LABELS_N), Examples(inputs_NHWC, LABELS_N))
    section = mistakes.section(made, runs.of_pictures(4, channels, ("<cat>", "dog")), tmp_path)
    assert section is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mistake-1.png", "mistake-2.png"]
    first_HWC = np.asarray(Image.open(tmp_path / "mistake-1.png")).reshape(4, 5, channels)
    np.testing.assert_array_equal(first_HWC, inputs_NHWC[2])
    first, second = section.body.split("<figure>")[1:]
    assert (
        '<span class="wrong">&lt;cat&gt;</span> 100&nbsp;%<br>truth <span class="right">dog</span> &lt;&nbsp;0.1&nbsp;%'
        in first
    )
    assert (
        '<span class="wrong">dog</span> 60&nbsp;%<br>truth <span class="right">&lt;cat&gt;</span> 40&nbsp;%' in second
    )


def test_shows_rows(tmp_path: Path) -> None:
    """Of a table the rows' numbers are shown, of at most eight columns."""
    inputs_NF = np.arange(36, dtype=np.float32).reshape(3, 12)
    made = review(judge(PROBABILITY_NK, LABELS_N), Examples(inputs_NF, LABELS_N))
    section = mistakes.section(made, runs.of_rows([f"column {f}" for f in range(12)]), tmp_path)
    assert section is not None
    for text in ("<td>b</td>", ">0.1 %<", ">24<", "column 7"):
        assert text in section.body
    assert "column 8" not in section.body


def test_nothing_to_show(tmp_path: Path) -> None:
    """Where every answer is right there is no such section."""
    made = review(judge(PROBABILITY_NK[:1], LABELS_N[:1]), Examples(np.zeros((1, 2, 2, 1), np.uint8), LABELS_N[:1]))
    assert mistakes.section(made, runs.of_pictures(2), tmp_path) is None


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100"), (0.123, "12"), (0.0789, "7.9"), (0.001, "0.1"), (0.0009, "&lt;&nbsp;0.1"), (0, "&lt;&nbsp;0.1")],
)
def test_percentages(share: float, text: str) -> None:
    """Small probabilities keep a digit, tiny ones are only said to be so."""
    assert mistakes.percent(share) == f"{text}&nbsp;%"
