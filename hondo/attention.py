"""Where a model looked: shares of a coarse grid, and the same as a map that is as large as the picture.

Legend: P places of the grid, row by row; H height, W width of the picture.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hondo import images
from hondo.maps import Map
from protos.manifest_pb2 import Captioning


def spread(weights_P: NDArray[np.float32], task: Captioning, height: int, width: int) -> Map:
    """Gives the map f32[H,W] of how much was looked at each pixel: 1 where most, 0 where the model did not see it.

    Args:
        weights_P: how much was looked at each place.
        task: the grid, and what of a picture it lies on.
        height: of the picture.
        width: of the picture.
    """
    grid = Image.fromarray(weights_P.astype(np.float32).reshape(task.grid_height, task.grid_width))
    left, top, right, bottom = (round(side) for side in images.seen(width, height, task.image))
    map_HW = np.zeros((height, width), np.float32)
    size = max(1, right - left), max(1, bottom - top)
    map_HW[top : top + size[1], left : left + size[0]] = np.asarray(grid.resize(size, Image.Resampling.BILINEAR))
    most = float(map_HW.max())
    return map_HW / np.float32(most) if most > 0 else map_HW
