"""Legend: N pictures, H height, W width, C channels."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import nn

from tests.training.report import runs
from training.data.dataset import Examples
from training.models.lenet5 import LeNet5
from training.pixels import Pixels
from training.report import maps

FRONT = Pixels([0.0], [1.0])
PICTURES = Examples(
    np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), dtype=np.uint8), np.array([0, 1, 0, 1], np.int64)
)


def test_shows_a_picture_that_is_told_right(tmp_path: Path) -> None:
    """The picture is the first of the samples that the net tells right, and each layer with maps is drawn."""
    net = LeNet5(2)
    nn.init.constant_(net.output.bias, 0.0)
    net.output.bias.data[1] = 100
    made = runs.made(net, runs.of_pictures(28), PICTURES, FRONT)
    section = maps.section(made, runs.reviewed(made), tmp_path)
    assert section is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maps-1.png", "maps-2.png", "seen.png"]
    seen_HWC = np.asarray(Image.open(tmp_path / "seen.png"))[::32, ::32, 0]
    np.testing.assert_array_equal(seen_HWC, PICTURES.inputs[1, ..., 0])
    assert "the picture: b" in section.body
    assert "c1: 6 maps of 28 x 28" in section.body
    assert "c3: 16 maps of 10 x 10" in section.body


def test_nets_without_maps(tmp_path: Path) -> None:
    """A net of units alone has no such section."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    made = runs.made(net, runs.of_pictures(28), PICTURES, FRONT)
    assert maps.section(made, runs.reviewed(made), tmp_path) is None
