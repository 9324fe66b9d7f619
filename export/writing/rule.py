"""The rule by which a token is chosen, in 64-bit floats and plain numpy: what the graph's nodes are held to.

Legend: V tokens of the vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The line from 0 to 1, parted among the tokens that are left."""

    # Those that are left, the most probable first; of equals, the one with the lower id.
    tokens: NDArray[np.int64]
    # Where each one's share ends.
    end: NDArray[np.float64]

    def share(self, token: int) -> tuple[float, float]:
        """Gives where a token's share begins and ends; beyond the line for one that is not left."""
        found = np.flatnonzero(self.tokens == token)
        if not len(found):
            return np.inf, np.inf
        place = int(found[0])
        return (float(self.end[place - 1]) if place else 0.0), float(self.end[place])


def line(log_probability_V: NDArray[np.floating[Any]], temperature: float, top_k: int, top_p: float) -> Line:
    """Parts the line among the tokens that the settings leave."""
    order_V = np.argsort(-log_probability_V, kind="stable")
    count = 1 if temperature <= 0 else top_k if top_k > 0 else len(order_V)
    ranked = log_probability_V[order_V[:count]].astype(np.float64) / (temperature or 1)
    share = np.exp(ranked - ranked[0])
    end = np.cumsum(share / share.sum())
    left = 1 + int(np.count_nonzero(end[:-1] < top_p))
    return Line(order_V[:left], end[:left] / end[left - 1])


def choose(
    log_probability_V: NDArray[np.floating[Any]], uniform: float, temperature: float, top_k: int, top_p: float
) -> int:
    """Gives the token in whose share a number from 0 to 1 lies."""
    parted = line(log_probability_V, temperature, top_k, top_p)
    return int(parted.tokens[np.searchsorted(parted.end, uniform)])
