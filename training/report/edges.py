"""What an edge detector finds in pictures that it never saw, scale by scale, beside what people drew.

Legend: H height, W width, M maps: the side outputs, then their fusion.
"""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from training.data.bsds500 import Drawn
from training.edges.run import EdgeRun
from training.report import mosaic
from training.report.page import Section, grid, tile

_IN_A_ROW: Final = 4
# Of a picture's longer side, on the page.
_SIDE_PX: Final = 240


def section(run: EdgeRun, drawn: list[Drawn], out: Path) -> Section:
    """Draws the maps of some test pictures.

    Args:
        run: has the net.
        drawn: the pictures.
        out: where the files go.
    """
    tiles = []
    for each in drawn:
        file = f"edges-{each.name}.png"
        mosaic.save([_small(picture_HWC) for picture_HWC in _row(run, each)], _IN_A_ROW, out / file)
        says = f"Picture {each.name}, what people drew in it, and the edges that the net finds at each scale"
        tiles.append(tile(file, says, f"{each.name}, {len(each.boundaries_AHW)} people"))
    return Section(
        title="What it finds",
        about="Test pictures. First the picture, what people drew (the darker, the more of them agree), the edges that "
        "the net answers with, and then its side outputs, from the finest scale to the coarsest.",
        body=grid(tiles, "beside"),
    )


def _row(run: EdgeRun, each: Drawn) -> list[NDArray[np.uint8]]:
    with torch.inference_mode():
        maps_MHW = run.maps(run.front(torch.tensor(each.image_HWC)[None]))[0].numpy()
    drawn_HW = each.boundaries_AHW.mean(axis=0)
    return [each.image_HWC, *(_ink(map_HW) for map_HW in (drawn_HW, maps_MHW[-1], *maps_MHW[:-1]))]


def _ink(strength_HW: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Gives rgb_HWC u8: white at 0, black at 1."""
    grey_HW = np.rint(255 * (1 - strength_HW)).astype(np.uint8)
    return mosaic.rgb(grey_HW[:, :, None])


def _small(rgb_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = Image.fromarray(np.ascontiguousarray(rgb_HWC))
    picture.thumbnail((_SIDE_PX, _SIDE_PX))
    return np.asarray(picture)
