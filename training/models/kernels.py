"""Convolutions whose kernels are known beforehand: derivatives, and kernels that smooth, sharpen and shift.

Sources: Sobel and Feldman 1968; Prewitt, "Object enhancement and extraction", 1970; Scharr, "Optimale Operatoren in der
digitalen Bildverarbeitung", 2000.

Legend: N batch, C channels, H height, W width, K kernels.
"""

from collections.abc import Sequence
from typing import Final, Literal, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

Padding = Literal["zero", "replicate", "circular", "reflect"]
Rows = Sequence[Sequence[float]]

SOBEL_X: Final[Rows] = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
PREWITT_X: Final[Rows] = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))
SCHARR_X: Final[Rows] = ((-3, 0, 3), (-10, 0, 10), (-3, 0, 3))
LAPLACIAN: Final[Rows] = ((0, 1, 0), (1, -4, 1), (0, 1, 0))
SHARPEN: Final[Rows] = ((0, -1, 0), (-1, 5, -1), (0, -1, 0))
EMBOSS: Final[Rows] = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))


class Kernels(nn.Module):
    """Convolves every channel by itself with the same kernels, as nets do: without turning the kernel round.

    Args:
        kernels: of one size, as rows.
        padding: what is taken to lie around a picture: black, its outermost pixels, the picture again, or the picture
            mirrored at its outermost pixels. None leaves out the places where the kernel is not wholly in the picture.
        stride: pixels from one place to the next, down and to the right.
    """

    kernel_K1HW: Tensor

    def __init__(self, kernels: Sequence[Rows], padding: Padding | None, stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.register_buffer("kernel_K1HW", torch.tensor(kernels, dtype=torch.float32)[:, None])
        self._padding = padding
        self._stride = stride

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Gives maps f32[N,C*K,H,W]: of each channel those of all kernels, in their order."""
        kernels, channels = len(self.kernel_K1HW), maps_NCHW.shape[1]
        height, width = self.kernel_K1HW.shape[2:]
        padded_NCHW = padded(maps_NCHW, height, width, self._padding) if self._padding else maps_NCHW
        weight = self.kernel_K1HW.repeat(channels, 1, 1, 1) if channels > 1 else self.kernel_K1HW
        assert len(weight) == channels * kernels
        return functional.conv2d(padded_NCHW, weight, stride=self._stride, groups=channels)


def padded(maps_NCHW: Tensor, height: int, width: int, padding: Padding) -> Tensor:
    """Gives maps with as much around them as a kernel of that size needs to have a place at every pixel."""
    top, left = (height - 1) // 2, (width - 1) // 2
    around = (left, width - 1 - left, top, height - 1 - top)
    return functional.pad(maps_NCHW, around, mode="constant" if padding == "zero" else padding)


class Gradient(nn.Module):
    """How fast the picture's values change: along x, along y, or in the direction of the greatest change.

    Args:
        kernel_x: along x; the one along y is the same with rows and columns exchanged.
        direction: "x" and "y" give the change's amount without its sign, "both" the length of the two together.
        padding: what is taken to lie around the picture.
    """

    def __init__(self, kernel_x: Rows, direction: Literal["x", "y", "both"], padding: Padding) -> None:
        super().__init__()
        kernel_y = tuple(zip(*kernel_x, strict=True))
        self.kernels = Kernels((kernel_x, kernel_y), padding)
        self._direction = direction
        self._largest = largest(kernel_x)

    def forward(self, image_N1HW: Tensor) -> Tensor:
        """Gives edges_N1HW f32, where 1 is a step from black to white, of grey pictures f32 from 0 to 255."""
        x_N1HW, y_N1HW = self.kernels(image_N1HW).split(1, dim=1)
        match self._direction:
            case "x":
                change_N1HW = x_N1HW.abs()
            case "y":
                change_N1HW = y_N1HW.abs()
            case "both":
                change_N1HW = length(x_N1HW, y_N1HW)
            case _:
                assert_never(self._direction)
        # A corner may change faster than any straight step.
        edges_N1HW: Tensor = (change_N1HW / self._largest).clamp(max=1)
        return edges_N1HW


class SecondDerivative(nn.Module):
    """How much lighter or darker a pixel is than those around it.

    Args:
        padding: what is taken to lie around the picture.
    """

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.kernels = Kernels((LAPLACIAN,), padding)
        self._largest = largest(LAPLACIAN)

    def forward(self, image_N1HW: Tensor) -> Tensor:
        """Gives edges_N1HW f32 from 0 to 1 of grey pictures f32 from 0 to 255."""
        edges_N1HW: Tensor = self.kernels(image_N1HW).abs() / self._largest
        return edges_N1HW


def length(x: Tensor, y: Tensor) -> Tensor:
    """Gives the lengths of arrows f32 of these sides."""
    return (x.square() + y.square()).sqrt()


def largest(kernel: Rows) -> float:
    """Gives the largest answer of a kernel to pixels from 0 to 255."""
    return 255 * sum(value for row in kernel for value in row if value > 0)


def mean(side_px: int) -> Rows:
    """Gives the kernel that blurs by the mean of a square."""
    return ((1 / side_px**2,) * side_px,) * side_px


def gaussian(side_px: int, sigma_px: float) -> Rows:
    """Gives the kernel that blurs by a bell of that deviation; its values add up to 1."""
    offset_P = torch.arange(side_px, dtype=torch.float64) - (side_px - 1) / 2
    bell_P = torch.exp(-0.5 * (offset_P / sigma_px) ** 2)
    bell_P /= bell_P.sum()
    rows: list[list[float]] = torch.outer(bell_P, bell_P).tolist()
    return rows


def shift(right_px: int, down_px: int) -> Rows:
    """Gives the kernel that moves a picture by so many pixels, either way."""
    reach_px = max(abs(right_px), abs(down_px))
    kernel = torch.zeros(2 * reach_px + 1, 2 * reach_px + 1)
    kernel[reach_px - down_px, reach_px - right_px] = 1
    rows: list[list[float]] = kernel.tolist()
    return rows


class Values(nn.Module):
    """Pictures as they are, as numbers."""

    def forward(self, image_NHWC: Tensor) -> Tensor:
        """Gives image_NCHW f32 from 0 to 255 of image_NHWC u8."""
        return image_NHWC.permute(0, 3, 1, 2).float()
