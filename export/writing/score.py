"""What the published graphs score on text that the training never saw, by the session that serves.

Legend: T tokens.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.writing.writer import Writer
from hondo.errors import AccuracyError

# Tokens that are read at once.
_WINDOW: Final = 1024
# The loss in nats may grow by so much in smaller numbers.
MAX_GROWTH_NATS: Final = 0.01


def loss(writer: Writer, text_T: NDArray[np.int64]) -> float:
    """Gives the loss in nats a character over a text that is read from its beginning to its end, but for the first."""
    total, state = 0.0, writer.first_state(1)
    for start in range(0, len(text_T) - 1, _WINDOW):
        window_NT = text_T[np.newaxis, start : start + _WINDOW + 1]
        log_probability_NT, state = writer.read(window_NT, np.array([window_NT.shape[1]]), state)
        total -= float(log_probability_NT.sum(dtype=np.float64))
    return total / (len(text_T) - 1)


def check(full_nats: float, lowered_nats: float) -> None:
    """Holds that smaller numbers foretell the text about as well.

    Raises:
        AccuracyError: they do not.
    """
    growth = lowered_nats - full_nats
    # A loss that is no number must not pass because it compares false.
    if not growth <= MAX_GROWTH_NATS:
        raise AccuracyError(
            f"the loss is {lowered_nats:.4f} nats a character, {full_nats:.4f} in 32-bit floats: {growth:.4f} more, at "
            f"most {MAX_GROWTH_NATS:g} is allowed"
        )
