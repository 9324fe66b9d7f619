"""Masks and maps drawn with characters."""

import numpy as np
from numpy.typing import NDArray


def mask(*rows: str) -> NDArray[np.bool_]:
    """Gives a mask that is True at each #."""
    return np.array([[character == "#" for character in row] for row in rows])


def placed(height: int, width: int, *pixels: tuple[int, int]) -> NDArray[np.bool_]:
    """Gives a mask that is True at each (row, column)."""
    made = np.zeros((height, width), np.bool_)
    for row, column in pixels:
        made[row, column] = True
    return made
