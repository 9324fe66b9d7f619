"""What a net wrote, and how it chose.

Legend: N batch, T tokens, L layers, H units of a layer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What is remembered, f32[N,L,H] each, and logarithms of probabilities.
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """How the tokens of each row are chosen, and the numbers that decide."""

    temperature_N: NDArray[np.float32]
    top_k_N: NDArray[np.int64]
    top_p_N: NDArray[np.float32]
    uniform_NT: NDArray[np.float32]

    def of(self, row: int) -> tuple[float, int, float]:
        """Gives a row's temperature, top_k and top_p."""
        return float(self.temperature_N[row]), int(self.top_k_N[row]), float(self.top_p_N[row])

    def rows(self, which: slice) -> "Controls":
        """Gives those of some rows."""
        return Controls(
            temperature_N=self.temperature_N[which],
            top_k_N=self.top_k_N[which],
            top_p_N=self.top_p_N[which],
            uniform_NT=self.uniform_NT[which],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What was written."""

    tokens_NT: NDArray[np.int64]
    log_probability_NT: Floats
    # Before the last of the tokens.
    state: list[Floats]

    def floats(self) -> list[Floats]:
        """Gives the log-probabilities and the state's parts."""
        return [self.log_probability_NT, *self.state]
