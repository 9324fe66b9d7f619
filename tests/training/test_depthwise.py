"""Legend: C channels, K kernel."""

import pytest
import torch
from torch.nn import functional

from training.depthwise import _Depthwise, depthwise
from training.models.efficientnet_lite import Block


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width", "side_px"), [(14, 15, 5), (23, 20, 5), (13, 24, 3)])
def test_gradients_are_torchs_own(stride: int, height: int, width: int, side_px: int) -> None:
    """Of the maps and of the kernel, whatever is left over at the end of a side."""
    torch.manual_seed(0)
    maps_NCHW = torch.randn(2, 6, height, width, dtype=torch.float64, requires_grad=True)
    kernel_C1KK = torch.randn(6, 1, side_px, side_px, dtype=torch.float64, requires_grad=True)
    expected = functional.conv2d(maps_NCHW, kernel_C1KK, stride=stride, groups=6)
    found = _Depthwise.apply(maps_NCHW, kernel_C1KK, stride)  # type: ignore[no-untyped-call]
    assert torch.equal(found, expected)
    along = torch.randn_like(expected)
    for theirs, ours in zip(
        torch.autograd.grad(expected, (maps_NCHW, kernel_C1KK), along),
        torch.autograd.grad(found, (maps_NCHW, kernel_C1KK), along),
        strict=True,
    ):
        assert torch.allclose(theirs, ours, atol=1e-12)


def test_computes_in_bfloat16() -> None:
    """What goes in may be of any precision, and its gradient is of the same."""
    kernel_C1KK = torch.ones(2, 1, 3, 3, requires_grad=True)
    result = depthwise(torch.ones(1, 2, 5, 5), kernel_C1KK, 1)
    assert result.dtype == torch.bfloat16
    result.sum().backward()  # type: ignore[no-untyped-call]
    assert kernel_C1KK.grad is not None
    assert kernel_C1KK.grad.dtype == torch.float32
    assert (kernel_C1KK.grad == 9).all()


def test_blocks_learn_with_it_in_bfloat16_alone() -> None:
    """In training with bfloat16 a block takes these gradients; in 32 bits and in use it takes torch's."""
    block = Block(4, 4, kernel_px=3, stride=1, expansion=2, skips=0)
    maps_NCHW = torch.randn(1, 4, 6, 6)

    def names() -> set[str]:
        seen, found = [block(maps_NCHW).grad_fn], set()
        while seen:
            step = seen.pop()
            if step is not None and step not in found:
                found.add(step)
                seen += [each for each, _ in step.next_functions]
        return {step.name() for step in found}

    assert "_DepthwiseBackward" not in names()
    with torch.autocast("cpu", torch.bfloat16):
        assert "_DepthwiseBackward" in names()
        block.eval()
        assert "_DepthwiseBackward" not in names()
