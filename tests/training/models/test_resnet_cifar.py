"""Legend: N pictures, C channels, H height, W width, K classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from training.models.resnet_cifar import OptionA, ResNetCIFAR, published_weights
from training.pixels import Pixels


@pytest.mark.parametrize(
    ("depth", "published", "parameters"),
    [
        (20, "0.27M", 269_722),
        (32, "0.46M", 464_154),
        (44, "0.66M", 658_586),
        (56, "0.85M", 853_018),
        (110, "1.7M", 1_727_962),
    ],
)
def test_has_the_papers_sizes(depth: int, published: str, parameters: int) -> None:
    """Each net has as many parameters as the paper's table 6 says, and as many layers as its name says."""
    net = ResNetCIFAR(depth, 10)
    count = sum(weights.numel() for weights in net.parameters())
    assert count == parameters
    assert f"{count / 1e6:.{len(published) - 3}f}M" == published
    assert sum(weights.ndim > 1 for weights in net.parameters()) == depth


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_refuses_a_depth_that_is_no_such_net(depth: int) -> None:
    """A depth must be 6n + 2."""
    with pytest.raises(ValueError, match="6n \\+ 2"):
        ResNetCIFAR(depth, 10)


def test_shortcut_takes_every_second_pixel_and_adds_zeros() -> None:
    """Option A has no parameters: what it gives is the picture thinned out, between channels of zeros."""
    maps_NCHW = torch.arange(2 * 4 * 4, dtype=torch.float32).reshape(1, 2, 4, 4) + 1
    shortcut = OptionA(2, 4)
    given_NCHW = shortcut(maps_NCHW)
    assert given_NCHW.shape == (1, 4, 2, 2)
    assert given_NCHW[0, 1].tolist() == [[1, 3], [9, 11]]
    assert given_NCHW[0, 2].tolist() == [[17, 19], [25, 27]]
    assert not given_NCHW[0, [0, 3]].any()
    assert not list(shortcut.parameters())


def test_halves_the_maps_twice() -> None:
    """The stages give 16 maps of 32x32, 32 of 16x16 and 64 of 8x8, as the paper's list in section 4.2."""
    net = ResNetCIFAR(20, 10).eval()
    maps = net.conv1(torch.zeros(2, 3, 32, 32))
    shapes = []
    for stage in (net.layer1, net.layer2, net.layer3):
        maps = stage(maps)
        shapes.append(tuple(maps.shape))
    assert shapes == [(2, 16, 32, 32), (2, 32, 16, 16), (2, 64, 8, 8)]


@pytest.mark.parametrize(("batch", "classes"), [(1, 10), (3, 4)])
def test_gives_a_logit_for_each_class(batch: int, classes: int) -> None:
    """Logits are f32[N,K] for any number of classes."""
    logits_NK = ResNetCIFAR(20, classes).eval()(torch.zeros(batch, 3, 32, 32))
    assert logits_NK.shape == (batch, classes)
    assert logits_NK.dtype == torch.float32


def read_test_pictures(folder: Path, pictures: int) -> NDArray[np.uint8]:
    """Reads so many of CIFAR-10's test pictures; the class of picture i is i % 10."""
    files = sorted(folder.glob("test_*.webp"))[: pictures // 500]
    return np.concatenate([np.asarray(Image.open(file).convert("RGB")).reshape(-1, 32, 32, 3) for file in files])


# Published with the weights: 91.73 % and 93.39 %. ResNet-56 has these 9,339 of the 10,000, 934 among the first 1,000.
@pytest.mark.data
@pytest.mark.parametrize(
    ("depth", "file", "pictures", "right"),
    [(20, "resnet20-12fca82f.th", 10_000, 9173), (56, "resnet56-4bfd9763.th", 1_000, 934)],
)
def test_published_weights_score_as_published(data_dir: Path, depth: int, file: str, pictures: int, right: int) -> None:
    """With the published weights a net names as many of CIFAR-10's test pictures rightly as their author says."""
    content = torch.load(data_dir / "cifar10_resnet" / file, map_location="cpu", weights_only=True)
    net = ResNetCIFAR(depth, 10).eval()
    net.load_state_dict(published_weights(content["state_dict"]))
    pixels = Pixels(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    image_NHWC = torch.from_numpy(read_test_pictures(data_dir / "cifar10", pictures))
    with torch.inference_mode():
        class_N = torch.cat([net(pixels(batch_NHWC)).argmax(1) for batch_NHWC in torch.split(image_NHWC, 250)])
    assert int((class_N == torch.arange(pictures) % 10).sum()) == right
