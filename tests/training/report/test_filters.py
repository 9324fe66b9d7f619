"""Legend: F filters, H height, W width, C channels."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from protos.manifest_pb2 import ImageInput
from tests.training.report import runs
from training.data.dataset import Examples
from training.report import filters

NONE = Examples(np.zeros((0, 3, 3, 1), np.uint8), np.zeros(0, np.int64))


def image(channels: int) -> ImageInput:
    """Gives pictures of 2 x 3."""
    return ImageInput(height=2, width=3, channels=channels)


def test_convolutions_filters() -> None:
    """The first convolution's weights come as pictures, their channels last, whatever layers follow."""
    layer = nn.Conv2d(3, 4, (2, 5))
    filters_FHWC = filters.first(nn.Sequential(layer, nn.ReLU(), nn.Conv2d(4, 9, 3)), image(3))
    assert filters_FHWC is not None
    assert filters_FHWC.shape == (4, 2, 5, 3)
    assert filters_FHWC[1, 0, 4, 2] == layer.weight[1, 2, 0, 4]


def test_units_that_see_all_pixels() -> None:
    """A first layer of units has one weight for each pixel and channel, in the order of flattened pictures."""
    layer = nn.Linear(18, 5)
    net = nn.Sequential(nn.Flatten(), layer)
    filters_FHWC = filters.first(net, image(3))
    assert filters_FHWC is not None
    assert filters_FHWC.shape == (5, 2, 3, 3)
    image_NCHW = torch.arange(18.0).reshape(1, 3, 2, 3)
    answer = (filters_FHWC[2] * image_NCHW[0].permute(1, 2, 0).numpy()).sum() + layer.bias[2].item()
    np.testing.assert_allclose(answer, net(image_NCHW)[0, 2].item(), rtol=1e-5)


def test_weights_that_make_no_picture(tmp_path: Path) -> None:
    """A net whose first layer does not see the pixels has no such section."""
    for net in (nn.Linear(7, 2), nn.Conv2d(1, 2, 3), nn.ReLU()):
        assert filters.first(net, image(3)) is None
    assert filters.section(runs.made(nn.Linear(7, 2), runs.of_pictures(3), NONE), tmp_path) is None


def test_shows_the_strongest_of_many(tmp_path: Path) -> None:
    """Of more than 96 filters the longest are shown; the text says how many there are."""
    section = filters.section(runs.made(nn.Conv2d(1, 200, 3), runs.of_pictures(8), NONE), tmp_path)
    assert section is not None
    assert "The 96 strongest of its 200 filters of 3 x 3 pixels" in section.about
    assert (tmp_path / "filters.png").exists()
