"""The strip: a picture, then word by word where the model looked, as heat over it.

Legend: H height, W width, C channels.
"""

import textwrap
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hondo.maps import Map

# Longer side of a picture in the strip, its distance from the next one, and the height of a word, pixels.
_SIDE_PX: Final = 224
_GAP_PX: Final = 8
_TEXT_PX: Final = 18
_COLUMNS: Final = 6
# How much of the picture the heat may hide.
_HEAT: Final = 0.65


def draw(picture: Image.Image, words: Sequence[tuple[str, Map]]) -> Image.Image:
    """Draws a strip.

    Args:
        picture: RGB or grey.
        words: each with the map f32[H,W] of where the model looked, as large as the picture.
    """
    scale = _SIDE_PX / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    cells = [("", small), *((text, _heated(small, map_HW)) for text, map_HW in words)]
    rows = -(-len(cells) // _COLUMNS)
    width, height = size[0] + _GAP_PX, size[1] + _TEXT_PX + 2 * _GAP_PX
    strip = Image.new("RGB", (min(_COLUMNS, len(cells)) * width + _GAP_PX, rows * height + _GAP_PX), "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(_TEXT_PX)
    for number, (text, cell) in enumerate(cells):
        left, top = _GAP_PX + number % _COLUMNS * width, _GAP_PX + number // _COLUMNS * height
        pen.text((left, top), textwrap.shorten(text, 24, placeholder="..."), "black", font)
        strip.paste(cell, (left, top + _TEXT_PX + _GAP_PX))
    return strip


def _heated(picture: Image.Image, map_HW: Map) -> Image.Image:
    """Lays heat over a picture: from red to yellow, the more the more was looked there."""
    heat = Image.fromarray(map_HW.astype(np.float32)).resize(picture.size, Image.Resampling.BILINEAR)
    heat_HW1 = np.asarray(heat)[:, :, np.newaxis].clip(0, 1)
    colour_HWC = np.concatenate([np.full_like(heat_HW1, 255), 255 * heat_HW1, np.zeros_like(heat_HW1)], axis=2)
    # Grey and a little dark where nothing was looked at, so that the heat stands out.
    grey_HW1 = np.asarray(picture.convert("L"), np.float32)[:, :, np.newaxis] * 0.75
    mixed_HWC = grey_HW1 * (1 - _HEAT * heat_HW1) + colour_HWC * _HEAT * heat_HW1
    return Image.fromarray(np.rint(mixed_HWC).astype(np.uint8))
