"""Canny, "A computational approach to edge detection", 1986, as OpenCV computes it, at all thresholds at once.

Legend: N batch, H height, W width, P pixels of a kernel.
"""

from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.models.kernels import SOBEL_X, Kernels, Padding, largest, length

# Tangents of 22.5 and 67.5 degrees, which part the directions, as OpenCV rounds them: k / 2^15.
_TANGENT_22: Final = 13573 / 2**15
_TANGENT_67: Final = _TANGENT_22 + 2
# The bell's weights are k / 2^8, as OpenCV's are for 8-bit pictures, so that all sums are exact in 32-bit floats.
_PARTS: Final = 2**8


class Canny(nn.Module):
    """Smooths, finds how fast grey changes, keeps the fastest across a line, and what hangs together with a strong one.

    With two thresholds Canny keeps a pixel if it is as fast as the higher, or is as fast as the lower one and touches a
    kept one. Here the lower one is a share of the higher. Each pixel is given the highest threshold that would keep it:
    `edges > t` is Canny's map with the thresholds t and `low` * t, for every t. This is a reconstruction by dilation
    (Vincent, "Morphological grayscale reconstruction in image analysis", 1993): a pixel takes on the largest value
    around it, up to its own change / `low`, until nothing changes any more.

    Args:
        sigma_px: deviation of the bell that smooths; 0 leaves the picture as it is.
        low: the lower threshold, as a share of the higher.
        norm: how the changes along x and y make one: "l2" their length, "l1" their sum.
    """

    def __init__(self, *, sigma_px: float, low: float, norm: Literal["l1", "l2"]) -> None:
        super().__init__()
        if not 0 < low <= 1 or sigma_px < 0:
            raise ValueError(f"low is a share above 0, sigma_px 0 or more; not {low} and {sigma_px}")
        self.smooth = Smooth(sigma_px) if sigma_px else nn.Identity()
        self.kernels = Kernels((SOBEL_X, tuple(zip(*SOBEL_X, strict=True))), "replicate")
        self._low = low
        self._norm = norm
        self._largest = largest(SOBEL_X)

    def forward(self, image_N1HW: Tensor) -> Tensor:
        """Gives edges_N1HW f32, where 1 is a step from black to white, of grey pictures f32 from 0 to 255."""
        x_N1HW, y_N1HW = self.kernels(self.smooth(image_N1HW)).split(1, dim=1)
        change_N1HW = length(x_N1HW, y_N1HW) if self._norm == "l2" else x_N1HW.abs() + y_N1HW.abs()
        ridge_N1HW = torch.where(_is_ridge(change_N1HW, x_N1HW, y_N1HW), change_N1HW, 0)
        return (connected(ridge_N1HW, ridge_N1HW / self._low) / self._largest).clamp(max=1)


def _is_ridge(change_N1HW: Tensor, x_N1HW: Tensor, y_N1HW: Tensor) -> Tensor:
    """Says where the change is larger than on both sides, in that of four directions that is nearest to its own.

    Of two alike, the right or lower one is kept; on a diagonal neither.
    """
    height, width = change_N1HW.shape[2:]
    around = functional.pad(change_N1HW, (1, 1, 1, 1))

    def beside(down: int, right: int) -> Tensor:
        return around[:, :, 1 + down : 1 + down + height, 1 + right : 1 + right + width]

    flat, steep = x_N1HW.abs() * _TANGENT_22, x_N1HW.abs() * _TANGENT_67
    across = (change_N1HW > beside(0, -1)) & (change_N1HW >= beside(0, 1))
    along = (change_N1HW > beside(-1, 0)) & (change_N1HW >= beside(1, 0))
    falling = (change_N1HW > beside(-1, -1)) & (change_N1HW > beside(1, 1))
    rising = (change_N1HW > beside(-1, 1)) & (change_N1HW > beside(1, -1))
    opposed = (x_N1HW < 0) ^ (y_N1HW < 0)
    is_flat, is_steep = y_N1HW.abs() < flat, y_N1HW.abs() > steep
    # ONNX Runtime has no `where` of truth values.
    diagonal = (opposed & rising) | (~opposed & falling)
    return (is_flat & across) | (is_steep & along) | (~is_flat & ~is_steep & diagonal)


def connected(marker_NCHW: Tensor, limit_NCHW: Tensor) -> Tensor:
    """Gives the reconstruction of the marker under the limit, which is nowhere below it: see `Canny`.

    In the ONNX file this is a Loop that ends when nothing changes: exact, however long a line is.
    """

    def changes(value_NCHW: Tensor, before_NCHW: Tensor) -> Tensor:
        return (value_NCHW != before_NCHW).any()

    def spread(value_NCHW: Tensor, _before_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        return _spread(value_NCHW, limit_NCHW), value_NCHW.clone()

    if marker_NCHW.is_meta:
        # Without values nothing changes.
        return marker_NCHW
    first = (_spread(marker_NCHW, limit_NCHW), marker_NCHW.clone())
    last: tuple[Tensor, Tensor] = torch.while_loop(changes, spread, first)  # type: ignore[no-untyped-call]
    return last[0]


def _spread(value_NCHW: Tensor, limit_NCHW: Tensor) -> Tensor:
    return torch.minimum(functional.max_pool2d(value_NCHW, 3, stride=1, padding=1), limit_NCHW)


class Smooth(nn.Module):
    """A bell in 8 bits, as OpenCV's GaussianBlur computes it on 8-bit pictures, rounded to whole numbers.

    Args:
        sigma_px: its deviation.
    """

    def __init__(self, sigma_px: float) -> None:
        super().__init__()
        bell = bell_parts(sigma_px)
        around: Padding = "reflect"
        self.across = Kernels((((*bell,),),), around)
        self.down = Kernels((tuple((part,) for part in bell),), around)

    def forward(self, image_N1HW: Tensor) -> Tensor:
        """Gives image_N1HW f32, whole numbers from 0 to 255, of the same."""
        return torch.floor(self.down(self.across(image_N1HW)) / _PARTS**2 + 0.5)


def bell_parts(sigma_px: float) -> list[int]:
    """Gives the bell's weights as whole 256ths that add up to 256; as OpenCV's it is 6 deviations wide."""
    side_px = round(sigma_px * 6 + 1) | 1
    offset_P = torch.arange(side_px, dtype=torch.float64) - (side_px - 1) / 2
    bell_P = torch.exp(-0.5 * (offset_P / sigma_px) ** 2)
    bell = (bell_P / bell_P.sum() * _PARTS).tolist()
    parts, error = [], 0.0
    for value in bell[: side_px // 2]:
        # What rounding takes from one weight, the next one gets.
        part = round(value + error)
        error += value - part
        parts.append(part)
    return [*parts, _PARTS - 2 * sum(parts), *parts[::-1]]
