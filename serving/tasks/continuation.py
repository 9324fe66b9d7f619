"""A continuation: what a row writes, as text, up to its stop string.

Legend: T tokens of a piece.
"""

from collections.abc import Sequence

import numpy as np

from hondo import characters, stops
from protos.hondo_pb2 import Continued, Ending
from serving.decode.job import End, Floats, Piece

_REASONS = {End.LENGTH: Ending.LENGTH, End.STOP: Ending.STOP}


class Continuation:
    """The text of one row so far."""

    def __init__(self, vocabulary: Sequence[str], stop_strings: Sequence[str], *, log_probabilities: bool) -> None:
        self._vocabulary = vocabulary
        self._stops = stop_strings
        self._shows_log_probabilities = log_probabilities
        # What may yet turn out to begin a stop string.
        self._held = ""
        self._held_log_probability_T: Floats = np.empty(0, np.float32)
        self._characters = 0
        self._log_likelihood = 0.0

    def go_on(self, piece: Piece) -> Continued | None:
        """Gives what can be said of the row's next piece; None where all of it may belong to a stop string."""
        text = self._held + characters.decode(piece.tokens_T.tolist(), self._vocabulary)
        log_probability_T = np.concatenate([self._held_log_probability_T, piece.log_probability_T])
        shown = len(text) - self._unshown(text, piece)
        self._held, self._held_log_probability_T = text[shown:], log_probability_T[shown:]
        self._characters += shown
        self._log_likelihood += float(log_probability_T[:shown].sum(dtype=np.float64))
        if not shown and piece.end is None:
            return None
        continued = Continued(continuation=piece.row, text=text[:shown])
        if self._shows_log_probabilities:
            continued.log_probabilities.extend(log_probability_T[:shown].tolist())
        if piece.end is not None:
            continued.ending.CopyFrom(self._ending(piece.end, piece.stop))
        return continued

    def _unshown(self, text: str, piece: Piece) -> int:
        """Gives how many of the last characters are not to be shown, now or ever."""
        if piece.stop is not None:
            return len(self._stops[piece.stop])
        return stops.held(text, self._stops) if piece.end is None else 0

    def _ending(self, end: End, stop: int | None) -> Ending:
        return Ending(
            reason=_REASONS[end],
            stop="" if stop is None else self._stops[stop],
            characters=self._characters,
            log_likelihood=self._log_likelihood,
        )
