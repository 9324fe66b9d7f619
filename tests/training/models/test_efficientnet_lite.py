"""Legend: N batch, C channels, H height, W width, K classes."""

import hashlib

import pytest
import torch

from training.models.efficientnet_lite import SCALES, Block, EfficientNetLite, SameConv2d, Size


def on_paper(size: Size, classes: int = 1000) -> EfficientNetLite:
    """Gives a net whose tensors have shapes and no values."""
    with torch.device("meta"):
        return EfficientNetLite(size, classes).eval()


@pytest.mark.parametrize(
    ("size", "published", "parameters"),
    [
        (0, "4.7M", 4_652_008),
        (1, "5.4M", 5_416_680),
        (2, "6.1M", 6_092_072),
        (3, "8.2M", 8_197_096),
        (4, "13.0M", 13_006_568),
    ],
)
def test_has_the_published_sizes(size: Size, published: str, parameters: int) -> None:
    """Each net has as many parameters as the table of the source says."""
    count = sum(weights.numel() for weights in on_paper(size).parameters())
    assert f"{count / 1e6:.1f}M" == published
    assert count == parameters


def test_names_and_shapes_are_those_of_the_published_file() -> None:
    """Size 0 takes efficientnet-lite0-57934424.pth as it is: this is the hash of its 296 names and shapes."""
    lines = sorted(f"{name} {tuple(weights.shape)}" for name, weights in on_paper(0).state_dict().items())
    assert len(lines) == 296
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == (
        "56e888a56e06aa25f3d7c351f1d07cfd52106a7a2d880f25944cceb293419791"
    )


@pytest.mark.parametrize("size", SCALES)
def test_halves_the_picture_five_times(size: Size) -> None:
    """The head sees a thirty-second of the side for which the net is meant, rounded up, and gives K logits."""
    net, side_px = on_paper(size, 7), SCALES[size].side_px
    seen: list[tuple[int, ...]] = []
    net.get_submodule("_conv_head").register_forward_hook(lambda _layer, _inputs, maps: seen.append(maps.shape))
    logits_NK = net(torch.zeros(2, 3, side_px, side_px, device="meta"))
    assert seen == [(2, 1280, -(-side_px // 32), -(-side_px // 32))]
    assert logits_NK.shape == (2, 7)


@pytest.mark.parametrize(
    ("side_px", "first", "last"),
    # How many of the kernel's three columns lie in the picture at its first and at its last place.
    [(4, 3, 2), (5, 2, 2)],
)
def test_pads_as_tensorflow_does(side_px: int, first: int, last: int) -> None:
    """An even side is padded at its end alone, an odd one at both; half the side, rounded up, comes out."""
    convolution = SameConv2d(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(convolution.weight)
    sums_HW = convolution(torch.ones(1, 1, side_px, side_px))[0, 0]
    assert sums_HW.shape == (-(-side_px // 2),) * 2
    assert [sums_HW[0, 0].item(), sums_HW[-1, -1].item()] == [first**2, last**2]


def test_skips_blocks_in_training_only() -> None:
    """In training so many examples pass a block by, and what the others gain makes up for it; in use none does."""
    torch.manual_seed(0)
    block = Block(4, 4, kernel_px=3, stride=1, expansion=2, skips=0.25)
    maps_NCHW = torch.randn(400, 4, 2, 2)
    with torch.no_grad():
        gained_NCHW = block(maps_NCHW) - maps_NCHW
        passed_by = (gained_NCHW == 0).all(dim=(1, 2, 3)).sum().item()
        skipping = block.eval()(maps_NCHW) - maps_NCHW
    assert passed_by == pytest.approx(100, abs=30)
    assert (skipping != 0).any(dim=(1, 2, 3)).all()


def test_later_blocks_are_skipped_more() -> None:
    """The first block is never left out; each later one a little more often, up to nearly a fifth."""
    shares = [block._skips for block in on_paper(0)._blocks]
    assert shares == pytest.approx([0.2 * number / 16 for number in range(16)])
