"""A data set in BSDS500's form, of made-up pictures: a light square on a dark ground, drawn by three people.

Legend: A annotators, H height, W width.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PEOPLE = 3


def square(height: int, width: int, top: int, left: int, side_px: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Gives image_HWC u8 and boundaries_AHW; the last person drew nothing."""
    image_HWC = np.full((height, width, 3), (20, 30, 60), np.uint8)
    image_HWC[top : top + side_px, left : left + side_px] = (220, 200, 150)
    boundaries_AHW = np.zeros((PEOPLE, height, width), np.bool_)
    boundaries_AHW[:-1, top : top + side_px, left : left + side_px] = True
    boundaries_AHW[:-1, top + 1 : top + side_px - 1, left + 1 : left + side_px - 1] = False
    return image_HWC, boundaries_AHW


def write_split(folder: Path, split: str, names: Sequence[str]) -> None:
    """Writes one split; pictures are upright and lying in turns, and 321 pixels have no whole number of bytes."""
    (folder / "images" / split).mkdir(parents=True)
    sizes, bits = [], []
    for number, name in enumerate(names):
        height, width = (48, 65) if number % 2 else (65, 48)
        image_HWC, boundaries_AHW = square(height, width, 8 + number, 12, 24)
        Image.fromarray(image_HWC).save(folder / "images" / split / f"{name}.jpg", quality=95)
        sizes.append((height, width))
        bits += [np.packbits(drawn_HW) for drawn_HW in boundaries_AHW]
    heights, widths = np.array(sizes, np.int32).T
    np.savez_compressed(
        folder / f"groundtruth_{split}.npz",
        ids=np.array(names),
        height=heights,
        width=widths,
        annotators=np.full(len(names), PEOPLE, np.int32),
        bits=np.concatenate(bits),
    )
