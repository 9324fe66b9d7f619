"""Thinning of a mask to lines one pixel wide, as MATLAB's bwmorph(mask, "thin", Inf) does it.

The rule is that of Guo and Hall, "Parallel thinning with two-subiteration algorithms", CACM 32 (1989): two passes in
turn take away pixels whose neighbourhood allows it, until none does.

Legend: H height, W width, P pixels of the mask.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# The eight neighbours (row, column), counter-clockwise from the right; each is a bit of a neighbourhood, in this order.
_NEIGHBOURS: Final = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def thinned(mask_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Gives the mask with its areas thinned to lines, in one piece where they were."""
    height, width = mask_HW.shape
    # Nothing lies outside: a frame of False, so that every pixel has eight neighbours.
    framed_HW = np.pad(mask_HW, 1)
    flat = framed_HW.reshape(-1)
    pixel_P = np.flatnonzero(flat)
    before = -1
    while before != len(pixel_P):
        before = len(pixel_P)
        for removable in _REMOVABLE:
            goes_P = removable[_neighbourhoods(flat, pixel_P, width + 2)]
            flat[pixel_P[goes_P]] = False
            pixel_P = pixel_P[~goes_P]
    return framed_HW[1 : height + 1, 1 : width + 1]


def _neighbourhoods(flat: NDArray[np.bool_], pixel_P: NDArray[np.intp], stride: int) -> NDArray[np.uint8]:
    """Gives which neighbours each pixel has, a bit for each."""
    neighbours_P = np.zeros(len(pixel_P), np.uint8)
    for bit, (row, column) in enumerate(_NEIGHBOURS):
        neighbours_P |= flat[pixel_P + (row * stride + column)].view(np.uint8) << np.uint8(bit)
    return neighbours_P


def _is_removable(neighbours: int, first: int) -> bool:
    """Says whether a pixel with these neighbours goes, in the pass that begins with the neighbour `first`."""
    has = [bool(neighbours >> place % 8 & 1) for place in range(first, first + 9)]
    starts = sum(not has[place] and (has[place + 1] or has[place + 2]) for place in (0, 2, 4, 6))
    pairs = sum(has[place] or has[place + 1] for place in (0, 2, 4, 6))
    other_pairs = sum(has[place + 1] or has[place + 2] for place in (0, 2, 4, 6))
    is_held = (has[1] or has[2] or not has[7]) and has[0]
    return starts == 1 and min(pairs, other_pairs) in {2, 3} and not is_held


# For each of the two passes, by neighbourhood.
_REMOVABLE: Final = tuple(np.array([_is_removable(neighbours, first) for neighbours in range(256)]) for first in (0, 4))
