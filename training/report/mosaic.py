"""Arrays as small pictures, side by side in one PNG file.

Legend: M pictures, H height, W width, C channels.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Of a file.
_WIDEST_PX: Final = 920
# Between pictures; it is transparent, so that it has the page's colour.
_FEW: Final = 6
_GAP_PX: Final = 8


def signed(value_HW: NDArray[np.float32], largest: float) -> NDArray[np.uint8]:
    """Gives rgb_HWC u8: blue below 0, white at 0, red above; full colour at `largest`."""
    return _coloured(value_HW / (2 * largest or 1) + 0.5, "RdBu_r")


def amount(value_HW: NDArray[np.float32], largest: float) -> NDArray[np.uint8]:
    """Gives rgb_HWC u8: black at 0 and below, over red to light yellow at `largest`."""
    return _coloured(value_HW / (largest or 1), "inferno")


def _coloured(share_HW: NDArray[np.float32], colours: str) -> NDArray[np.uint8]:
    from matplotlib import colormaps

    rgba_HWC = colormaps[colours](np.clip(share_HW, 0, 1), bytes=True)
    rgb_HWC: NDArray[np.uint8] = np.asarray(rgba_HWC)[..., :3]
    return rgb_HWC


def around_grey(value_HWC: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Gives rgb_HWC u8 of values f32[H,W,3] below and above 0, which is grey; those farthest from it are 0 or 255."""
    largest = float(np.abs(value_HWC).max()) or 1.0
    rgb_HWC: NDArray[np.uint8] = np.rint(127.5 + 127.5 * value_HWC / largest).astype(np.uint8)
    return rgb_HWC


def rgb(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gives rgb_HWC u8 of a picture of one or three channels."""
    return np.broadcast_to(image_HWC, (*image_HWC.shape[:2], 3))


def columns(count: int) -> int:
    """Gives how many of so many pictures stand in a row: all of a few, else twice as many as there are rows."""
    return max(_FEW, min(count, math.ceil(math.sqrt(2 * count)))) if count > _FEW else _FEW


def save(pictures: Sequence[NDArray[np.uint8]], in_a_row: int, path: Path) -> None:
    """Writes pictures u8[H,W,3] of one size as a PNG file, enlarged by as many times as there is room for.

    Args:
        pictures: row by row.
        in_a_row: how many are beside each other.
        path: of the file.
    """
    height, width, _ = pictures[0].shape
    times = max(1, (_WIDEST_PX // in_a_row - _GAP_PX) // width)
    rows = math.ceil(len(pictures) / in_a_row)
    step_H, step_W = height * times + _GAP_PX, width * times + _GAP_PX
    all_HWC = np.zeros((rows * step_H - _GAP_PX, in_a_row * step_W - _GAP_PX, 4), np.uint8)
    for number, picture_HWC in enumerate(pictures):
        top, left = number // in_a_row * step_H, number % in_a_row * step_W
        large_HWC = picture_HWC.repeat(times, axis=0).repeat(times, axis=1)
        all_HWC[top : top + height * times, left : left + width * times, :3] = large_HWC
        all_HWC[top : top + height * times, left : left + width * times, 3] = 255
    Image.fromarray(all_HWC).save(path, optimize=True)
