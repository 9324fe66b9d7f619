"""Legend: N batch, C channels, H height, W width, K classes."""

import pytest
import torch
from torch import nn

from training.models.vgg import VGG, Depth


def on_paper(depth: Depth, classes: int = 1000, *, batch_norm: bool = False) -> VGG:
    """Gives a net whose tensors have shapes and no values."""
    with torch.device("meta"):
        return VGG(depth, classes, batch_norm=batch_norm).eval()


# The millions are the paper's table 2, the rest torchvision's.
@pytest.mark.parametrize(
    ("depth", "millions", "plain", "normed"),
    [
        (11, 133, 132_863_336, 132_868_840),
        (13, 133, 133_047_848, 133_053_736),
        (16, 138, 138_357_544, 138_365_992),
        (19, 144, 143_667_240, 143_678_248),
    ],
)
def test_has_the_published_sizes(depth: Depth, millions: int, plain: int, normed: int) -> None:
    """Each net has the published number of parameters, and as many layers with weights as its name says."""
    counts = [sum(p.numel() for p in on_paper(depth, batch_norm=norm).parameters()) for norm in (False, True)]
    assert counts == [plain, normed]
    assert round(plain / 1e6) == millions
    assert sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in on_paper(depth).modules()) == depth


@pytest.mark.parametrize("depth", [11, 16])
def test_maps_have_the_papers_shapes(depth: Depth) -> None:
    """The five poolings leave maps of 112, 56, 28, 14 and 7 pixels a side."""
    maps, shapes = torch.zeros(2, 3, 224, 224, device="meta"), []
    for layer in on_paper(depth).features:
        maps = layer(maps)
        if isinstance(layer, nn.MaxPool2d):
            shapes.append(tuple(maps.shape[1:]))
    assert shapes == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_signals_neither_fade_nor_burst(batch_norm: bool) -> None:
    """With its first weights the deepest maps are about as strong as the picture."""
    torch.manual_seed(0)
    features = VGG(16, 2, batch_norm=batch_norm).features
    strength = features(torch.randn(2, 3, 32, 32)).square().mean().sqrt().item()
    assert 0.1 < strength < 10


@pytest.mark.parametrize("side_px", [32, 224, 300])
def test_takes_pictures_of_other_sizes(side_px: int) -> None:
    """Logits are f32[N,K] for pictures from 32x32 on."""
    assert on_paper(11, 3)(torch.zeros(2, 3, side_px, side_px, device="meta")).shape == (2, 3)
