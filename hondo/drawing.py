"""Small pictures drawn with characters, for a terminal.

Legend: H height, W width.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

# A character shows two pixels, one above the other: none, the upper, the lower, both.
_BLOCKS: Final = np.array([" ", "▀", "▄", "█"])


def strip(pictures: Sequence[Image.Image], captions: Sequence[str], *, columns: int = 5, side: int = 14) -> str:
    """Draws pictures beside each other with a caption under each.

    Args:
        pictures: bright ink on a dark ground.
        captions: one for each picture.
        columns: pictures in a row.
        side: characters that a picture is wide; it is half as many high.
    """
    rows = []
    for start in range(0, len(pictures), columns):
        drawn = [_draw(picture, side) for picture in pictures[start : start + columns]]
        lines = ["  ".join(parts) for parts in zip(*drawn, strict=True)]
        under = "  ".join(caption.center(side) for caption in captions[start : start + columns])
        rows.append("\n".join(line.rstrip() for line in (*lines, under)))
    return "\n\n".join(rows)


def _draw(picture: Image.Image, side: int) -> list[str]:
    grey_HW = np.asarray(picture.convert("L").resize((side, side), Image.Resampling.BOX))
    ink_HW = grey_HW > grey_HW.max() / 3
    return ["".join(line) for line in _BLOCKS[ink_HW[0::2] + 2 * ink_HW[1::2]]]
