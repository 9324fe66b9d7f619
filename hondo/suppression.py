"""Non-maximum suppression: broad edges become lines one pixel wide, as detectors are compared by.

The rule is that of Structured Edges (Dollar and Zitnick, "Fast Edge Detection Using Structured Forests", 2015), which
the scores of learned detectors since HED are stated for: a pixel stays where its edge is no weaker than those one pixel
away on either side, across the edge; the edge's direction comes from the second derivatives of the smoothed map.

Legend: H height, W width, R rows of the map along which something runs.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

# How far maps are averaged before they are judged, and before directions are told, pixels.
_FINE_PX: Final = 1
_COARSE_PX: Final = 4
# A pixel may be so many times weaker than its neighbours and stay, so that flat tops do not vanish.
_TOLERANCE: Final = 1.01
# Within so many pixels of the picture's border edges fade out: there nets see what is not in the picture.
_BORDER_PX: Final = 5
# Where a map is flat, edges count as upright.
_TINY: Final = np.float32(1e-5)


def thinned(edges_HW: Map) -> Map:
    """Gives a map of edges with all but their ridges set to 0.

    Args:
        edges_HW: f32, 0 to 1; at least 2 pixels high and wide.
    """
    fine_HW = _averaged(edges_HW, _FINE_PX)
    cos_HW, sin_HW = _across(_averaged(fine_HW, _COARSE_PX))
    least_HW = fine_HW * np.float32(_TOLERANCE)
    stays_HW = (_beside(fine_HW, cos_HW, sin_HW) <= least_HW) & (_beside(fine_HW, -cos_HW, -sin_HW) <= least_HW)
    ridges_HW: Map = np.where(stays_HW, fine_HW, np.float32(0))
    border_px = min(_BORDER_PX, *(side_px // 2 for side_px in ridges_HW.shape))
    height, width = ridges_HW.shape
    ridges_HW *= _fading(height, border_px)[:, np.newaxis]
    ridges_HW *= _fading(width, border_px)
    return ridges_HW


def _across(smooth_HW: Map) -> tuple[Map, Map]:
    """Gives cosine (along the width) and sine (along the height) of the direction across each pixel's edge."""
    gradient_y_HW, gradient_x_HW = np.gradient(smooth_HW)
    yx_HW, xx_HW = np.gradient(gradient_x_HW)
    yy_HW = np.gradient(gradient_y_HW, axis=0)
    # The angle is the arctangent of their quotient; a direction and its opposite are the same here.
    # Where a map does not change along the width at all the published program takes the sign for 0, and leaves level
    # edges whole; here it is 1.
    rise_HW, run_HW = np.where(yx_HW > 0, -yy_HW, yy_HW), xx_HW + _TINY
    length_HW = np.maximum(np.hypot(rise_HW, run_HW), np.finfo(np.float32).tiny)
    return run_HW / length_HW, rise_HW / length_HW


def _beside(map_HW: Map, cos_HW: Map, sin_HW: Map) -> Map:
    """Gives each pixel's neighbour one pixel away in a direction, interpolated; outside, the border's."""
    height, width = map_HW.shape
    # Just short of the last pixel, so that there always is a next one to interpolate with.
    y_HW = np.clip(np.arange(height, dtype=np.float32)[:, np.newaxis] + sin_HW, 0, np.float32(height - 1.001))
    x_HW = np.clip(np.arange(width, dtype=np.float32) + cos_HW, 0, np.float32(width - 1.001))
    top_HW, left_HW = y_HW.astype(np.int32), x_HW.astype(np.int32)
    y_HW -= top_HW
    x_HW -= left_HW
    corner_HW = top_HW * width + left_HW
    upper_HW = _between(map_HW, corner_HW, x_HW)
    lower_HW = _between(map_HW, corner_HW + width, x_HW)
    beside_HW: Map = upper_HW + (lower_HW - upper_HW) * y_HW
    return beside_HW


def _between(map_HW: Map, place_HW: NDArray[np.int32], share_HW: Map) -> Map:
    """Gives what lies so far between the pixel at a place, counted row by row, and the next in its row."""
    left_HW, right_HW = map_HW.take(place_HW), map_HW.take(place_HW + 1)
    between_HW: Map = left_HW + (right_HW - left_HW) * share_HW
    return between_HW


def _averaged(map_HW: Map, radius_px: int) -> Map:
    """Averages along both axes, weights falling linearly to 0 beyond the radius; the map is mirrored at its border."""
    return _averaged_along(_averaged_along(map_HW, radius_px).T, radius_px).T


def _averaged_along(map_RW: Map, radius_px: int) -> Map:
    """Averages along the columns."""
    rows = len(map_RW)
    wide_RW = np.pad(map_RW, ((radius_px, radius_px), (0, 0)), "symmetric")
    sum_RW = np.zeros_like(map_RW)
    for shift in range(2 * radius_px + 1):
        weight = radius_px + 1 - abs(shift - radius_px)
        sum_RW += np.float32(weight / (radius_px + 1) ** 2) * wide_RW[shift : shift + rows]
    return sum_RW


def _fading(side_px: int, border_px: int) -> Map:
    """Gives what edges are multiplied with along a side: 0 at its ends, rising to 1."""
    from_end_px = np.minimum(np.arange(side_px), np.arange(side_px)[::-1])
    return np.minimum(from_end_px / border_px, 1).astype(np.float32)
