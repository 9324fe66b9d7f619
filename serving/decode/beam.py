"""A beam: rows that look together for the most probable text, each going on with one of the best so far.

At each step the most probable ones are kept of all that the rows might write next, and of the texts that are over; a
text that is kept twice goes on in two rows.

Legend: W rows, C candidates, T tokens, P places of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from serving.decode.batch import Named
from serving.decode.job import End, Floats, Job, Piece, Row, Search

_NOTHING: Final = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Text:
    """What one of the rows has written."""

    tokens: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()
    # f32[P], at each token.
    attention: tuple[Floats, ...] = ()
    sum: float = 0.0
    is_over: bool = False

    def score(self, search: Search) -> float:
        """Gives by what it is compared with texts of other lengths."""
        return self.sum / float(max(1, len(self.tokens)) ** search.length_penalty)

    def piece(self, row: int, end: End | None) -> Piece:
        """Gives the whole text as a row's piece."""
        attention_TP = np.stack(self.attention) if self.attention else _NOTHING
        log_probability_T = np.array(self.log_probabilities, np.float32)
        return Piece(row, np.array(self.tokens, np.int64), log_probability_T, end, None, attention_TP, is_whole=True)


@dataclass(frozen=True, slots=True)
class Turn:
    """How the rows go on: row n from the state that row `sources[n]` has now, with `tokens[n]`."""

    sources: Sequence[int]
    tokens: Sequence[int]


class Beam:
    """The rows of one job, which are in the batch together.

    Args:
        job: with a `search`.
        rows: W of them.
    """

    def __init__(self, job: Job, rows: Sequence[Row]) -> None:
        assert job.search is not None, "a beam searches"
        self.job = job
        self.rows = rows
        # When to give what is best so far.
        self.due_s = 0.0
        self._search = job.search
        self._steps = 0
        # All rows begin alike: only the first counts until they differ.
        self._texts = [_Text()]

    @property
    def is_over(self) -> bool:
        """Whether nothing that may yet come can change the texts that are given, nor their order."""
        living = [text.sum for text in self._texts if not text.is_over]
        if not living or self._steps == self.job.limit:
            return True
        # Sums only fall. If one never fell again, it would end up with this at best.
        best = max(living) / self.job.limit**self._search.length_penalty
        wanted = self._ranked()[: self._search.wanted]
        return all(text.is_over and text.score(self._search) >= best for text in wanted)

    def step(self, named: Named) -> Turn:
        """Takes what the rows might write next; gives how they go on."""
        found: list[tuple[float, int, int | None]] = []
        for row, text in enumerate(self._texts):
            if text.is_over:
                found.append((text.sum, row, None))
                continue
            sum_C = (text.sum + named.log_probability_WC[row].astype(np.float64)).tolist()
            found += [(total, row, place) for place, total in enumerate(sum_C)]
        best = sorted(found, key=lambda each: -each[0])[: len(self.rows)]
        self._texts = [
            self._texts[row] if place is None else self._longer(self._texts[row], named, row, place)
            for _, row, place in best
        ]
        self._steps += 1
        return Turn([row for _, row, _ in best], [text.tokens[-1] for text in self._texts])

    def best(self) -> Piece:
        """Gives the best text so far."""
        return self._ranked()[0].piece(0, None)

    def pieces(self) -> list[Piece]:
        """Gives the texts, the best first, as the last pieces of rows that are numbered in that order."""
        return [text.piece(rank, End.STOP if text.is_over else End.LENGTH) for rank, text in enumerate(self._ranked())]

    def _longer(self, text: _Text, named: Named, row: int, place: int) -> _Text:
        token, log_probability = int(named.token_WC[row, place]), float(named.log_probability_WC[row, place])
        return _Text(
            (*text.tokens, token),
            (*text.log_probabilities, log_probability),
            (*text.attention, named.attention_WP[row]),
            text.sum + log_probability,
            token == self._search.end,
        )

    def _ranked(self) -> list[_Text]:
        return sorted(self._texts, key=lambda text: -text.score(self._search))
