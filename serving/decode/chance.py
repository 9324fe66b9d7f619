"""Chance: the uniform numbers by which one row's tokens are chosen, the same ones whatever else the server does."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# A 32-bit float below 1 has so many bits.
_BITS: Final = 24


class Chance:
    """The numbers of one row: they depend on the seed, on the row's number and on nothing else.

    They come from Philox, a generator that is a function of a key and a counter (Salmon et al., "Parallel random
    numbers: as easy as 1, 2, 3", 2011), straight from its bits: numpy promises that these stay the same.
    """

    def __init__(self, seed: int, row: int) -> None:
        self._generator = np.random.Philox(key=np.array([seed, row], np.uint64))

    def draw(self, count: int) -> NDArray[np.float32]:
        """Gives the next numbers, f32[count], 0 <= u < 1."""
        bits = self._generator.random_raw(count) >> np.uint64(64 - _BITS)
        return bits.astype(np.float32) * np.float32(2**-_BITS)
