"""Legend: N pictures, P peaks, C channels, H height, W width."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.training.report import runs
from training.data.dataset import Examples
from training.models.resnet_cifar import ResNetCIFAR
from training.pixels import Pixels
from training.report import projection
from training.report.projection import Peak


def two_filters() -> nn.Sequential:
    """A net on one row of pixels: units a = relu(x0 - x1) and b = relu(x1), then relu(a - 2 b) and relu(a + b)."""
    net = nn.Sequential(nn.Conv2d(1, 2, (1, 2), bias=False), nn.ReLU(), nn.Conv2d(2, 2, 1, bias=False), nn.ReLU())
    net[0].weight.data = torch.tensor([[[[1.0, -1.0]]], [[[0.0, 1.0]]]])
    net[2].weight.data = torch.tensor([[[[1.0]], [[-2.0]]], [[[1.0]], [[1.0]]]])
    return net


def test_peaks_by_hand() -> None:
    """Of each map and picture the largest value is kept and where it is, however the pictures are divided."""
    image_NCHW = torch.tensor([[[[0.0, 3.0, 1.0], [0.0, 0.0, 0.0]]], [[[0.0, 0.0, 0.0], [2.0, 0.0, 7.0]]]])
    first, _ = projection.peaks(two_filters(), image_NCHW)
    assert first.name == "0"
    assert first.height_NF.tolist() == [[2, 3], [2, 7]]
    assert first.of(0) == [Peak(0, 0, 1), Peak(1, 1, 0)]
    assert first.of(1) == [Peak(1, 1, 1), Peak(0, 0, 0)]


def test_strongest_maps_come_first() -> None:
    """Maps are ordered by their highest peaks."""
    found = projection.Peaks(
        "c", 1, torch.tensor([[1.0, 9.0, 5.0], [2.0, 8.0, 6.0]]), torch.zeros(2, 3, dtype=torch.int64)
    )
    assert found.strongest() == [1, 2, 0]


def test_guided_by_hand() -> None:
    """Only what is above 0 on the way up and on the way down reaches the picture.

    At x = (3, 1): a = 2, b = 1, so map 0 is relu(0) and map 1 is 3. Of map 1 both a and b get 1: x0 gets 1 (from a), x1
    gets -1 + 1 = 0. At x = (5, 1): a = 4, b = 1, map 0 is 2. The plain gradient gives a 1 and b -2, so x1 gets -3;
    guided, b gets nothing, and x1 only the -1 of a.
    """
    net = two_filters()
    places = [Peak(0, 0, 0), Peak(0, 0, 0)]
    seen_PCHW = torch.tensor([[[[3.0, 1.0, 0.0]]], [[[5.0, 1.0, 0.0]]]])
    assert projection.guided(net, seen_PCHW, 1, 1, places)[0].flatten().tolist() == [1, 0, 0]
    assert projection.guided(net, seen_PCHW, 1, 0, places)[1].flatten().tolist() == [1, -1, 0]
    plain_PCHW = seen_PCHW.requires_grad_()
    net(plain_PCHW)[1, 0, 0, 0].backward()
    assert plain_PCHW.grad is not None
    assert plain_PCHW.grad[1].flatten().tolist() == [1, -3, 0]


def test_guided_on_maps_with_several_pixels() -> None:
    """What a unit sees of the picture is all that it is led back to."""
    net = two_filters()
    image_NCHW = torch.tensor([[[[5.0, 1.0, 0.0, 0.0], [0.0, 0.0, 9.0, 2.0]]]] * 2)
    above, below = projection.guided(net, image_NCHW, 1, 0, [Peak(0, 0, 0), Peak(1, 1, 2)])
    assert above[0].tolist() == [[1, -1, 0, 0], [0, 0, 0, 0]]
    assert below[0].tolist() == [[0, 0, 0, 0], [0, 0, 1, -1]]
    assert all(not layer._backward_hooks for layer in net.modules())


def test_box_is_what_matters() -> None:
    """The part that is shown holds all that matters, and nothing where nothing does."""
    back_HWC = np.zeros((8, 9, 3), np.float32)
    assert projection.box(back_HWC) == (slice(0, 8), slice(0, 9))
    back_HWC[2, 3, 0], back_HWC[5, 4, 2], back_HWC[7, 8, 1] = 1, -0.5, 0.01
    assert projection.box(back_HWC) == (slice(2, 6), slice(3, 5))


def test_draws_units_of_later_layers(tmp_path: Path) -> None:
    """Six units each of three layers are drawn; the first layer's are its filters, which have their own section."""
    inputs_NHWC = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    front = Pixels([0.5] * 3, [0.25] * 3)
    samples = Examples(inputs_NHWC, np.zeros(5, np.int64))
    made = runs.made(ResNetCIFAR(20, 2), runs.of_pictures(32, 3), samples, front)
    section = projection.section(made, tmp_path)
    assert section is not None
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 18
    assert not [name for name in files if name.startswith("excites-1-")]
    assert section.body.count("<h3>") == 3
    assert all(f'src="{name}"' in section.body for name in files)


def test_nets_without_maps(tmp_path: Path) -> None:
    """A net of units alone has no such section."""
    samples = Examples(np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int64))
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    made = runs.made(net, runs.of_pictures(4), samples, Pixels([0.0], [1.0]))
    assert projection.section(made, tmp_path) is None
