"""Legend: N batch, C channels, H height, W width, K classes."""

import pytest
import torch
from torch import nn

from training.models.resnet import Basic, Bottleneck, Depth, ResNet


def on_paper(depth: Depth, classes: int = 1000) -> ResNet:
    """Gives a net whose tensors have shapes and no values."""
    with torch.device("meta"):
        return ResNet(depth, classes).eval()


# Published by torchvision with its weights.
@pytest.mark.parametrize(
    ("depth", "parameters"),
    [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)],
)
def test_has_the_published_sizes(depth: Depth, parameters: int) -> None:
    """Each net has torchvision's parameters, and as many layers with weights as its name says."""
    net = on_paper(depth)
    assert sum(weights.numel() for weights in net.parameters()) == parameters
    layers = [name for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert sum("downsample" not in name for name in layers) == depth


@pytest.mark.parametrize(("depth", "channels"), [(18, (64, 128, 256, 512)), (50, (256, 512, 1024, 2048))])
def test_maps_have_the_papers_shapes(depth: Depth, channels: tuple[int, ...]) -> None:
    """The stages give maps of 56, 28, 14 and 7 pixels a side, as in table 1."""
    net = on_paper(depth)
    maps = net.maxpool(net.relu(net.bn1(net.conv1(torch.zeros(2, 3, 224, 224, device="meta")))))
    shapes = [maps.shape[1:]]
    for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
        maps = stage(maps)
        shapes.append(maps.shape[1:])
    sides_px = (56, 28, 14, 7)
    assert shapes == [(64, 56, 56), *((c, side, side) for c, side in zip(channels, sides_px, strict=True))]


def test_a_block_adds_to_what_came_in() -> None:
    """A block whose last norm is 0 lets maps that are not negative through as they are."""
    basic, bottleneck = Basic(32, 32, 1, nn.Identity()).eval(), Bottleneck(32, 8, 1, nn.Identity()).eval()
    nn.init.zeros_(basic.bn2.weight)
    nn.init.zeros_(bottleneck.bn3.weight)
    maps_NCHW = torch.rand(2, 32, 5, 5)
    assert torch.equal(basic(maps_NCHW), maps_NCHW)
    assert torch.equal(bottleneck(maps_NCHW), maps_NCHW)


@pytest.mark.parametrize(("side_px", "classes"), [(32, 10), (65, 3)])
def test_takes_pictures_of_any_size(side_px: int, classes: int) -> None:
    """Logits are f32[N,K], whatever the picture's size."""
    logits_NK = ResNet(18, classes).eval()(torch.rand(2, 3, side_px, side_px))
    assert logits_NK.shape == (2, classes)
    assert logits_NK.isfinite().all()
