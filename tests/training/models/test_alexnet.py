"""Legend: N batch, C channels, H height, W width, K classes."""

import pytest
import torch
from torch import Tensor, nn

from training.models.alexnet import AlexNet, AlexNet2012


def on_paper(kind: type[AlexNet | AlexNet2012]) -> AlexNet | AlexNet2012:
    """Gives a net whose tensors have shapes and no values."""
    with torch.device("meta"):
        return kind(1000).eval()


def test_of_2012_has_the_papers_sizes() -> None:
    """The paper's net has 60,965,224 parameters ("60 million"): each filter of a half sees the half's maps alone."""
    net = on_paper(AlexNet2012)
    counts = [layer.weight.numel() for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    convolutions = [11**2 * 3 * 96, 5**2 * 48 * 256, 3**2 * 256 * 384, 3**2 * 192 * 384, 3**2 * 192 * 256]
    assert counts == [*convolutions, 9216 * 4096, 4096 * 4096, 4096 * 1000]
    assert sum(weights.numel() for weights in net.parameters()) == 60_965_224


def test_of_2014_has_the_published_size() -> None:
    """The net in one column has torchvision's 61,100,840 parameters."""
    assert sum(weights.numel() for weights in on_paper(AlexNet).parameters()) == 61_100_840


@pytest.mark.parametrize(
    ("kind", "side_px", "channels"),
    [(AlexNet2012, 227, (96, 256, 384, 384, 256)), (AlexNet, 224, (64, 192, 384, 256, 256))],
)
def test_maps_have_the_papers_shapes(
    kind: type[AlexNet | AlexNet2012], side_px: int, channels: tuple[int, ...]
) -> None:
    """The convolutions give maps of 55, 27, 13, 13 and 13 pixels a side, and what is left in the end is 6x6."""
    maps, shapes = torch.zeros(2, 3, side_px, side_px, device="meta"), []
    for layer in on_paper(kind).features:
        maps = layer(maps)
        if isinstance(layer, nn.Conv2d):
            shapes.append(tuple(maps.shape[1:]))
    assert shapes == [(c, side, side) for c, side in zip(channels, (55, 27, 13, 13, 13), strict=True)]
    assert maps.shape[2:] == (6, 6)


def test_response_norm_is_the_papers() -> None:
    """A unit is divided by (2 + 0.0001 x the sum of the squares of 5 neighbours) to the power of 0.75 (section 3.3)."""
    maps_NCHW = torch.randn(2, 96, 3, 3) * 100
    norm = next(layer for layer in AlexNet2012(2).features if isinstance(layer, nn.LocalResponseNorm))
    torch.testing.assert_close(norm(maps_NCHW), maps_NCHW / (2 + 1e-4 * _sums(maps_NCHW.square())) ** 0.75)


def _sums(squares_NCHW: Tensor) -> Tensor:
    """Gives for each map the sum of itself and two on either side, as far as there are any."""
    count = squares_NCHW.shape[1]
    near = [squares_NCHW[:, max(i - 2, 0) : i + 3].sum(dim=1) for i in range(count)]
    return torch.stack(near, dim=1)


def test_of_2012_starts_as_the_paper_says() -> None:
    """Weights deviate by 0.01; biases are 1 in convolutions 2, 4 and 5 and in the hidden layers, else 0."""
    layers = [layer for layer in AlexNet2012(10).modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert all(layer.weight.std().item() == pytest.approx(0.01, rel=0.05) for layer in layers)
    biases = [set(layer.bias.tolist()) for layer in layers if layer.bias is not None]
    assert biases == [{0.0}, {1.0}, {0.0}, {1.0}, {1.0}, {1.0}, {1.0}, {0.0}]


@pytest.mark.parametrize("kind", [AlexNet, AlexNet2012])
@pytest.mark.parametrize("side_px", [67, 160])
def test_takes_pictures_of_other_sizes(kind: type[AlexNet | AlexNet2012], side_px: int) -> None:
    """Smaller pictures give logits too, f32[N,K]."""
    with torch.device("meta"):
        assert kind(3).eval()(torch.zeros(2, 3, side_px, side_px)).shape == (2, 3)
