"""A stream: what comes of a job, as its reader takes it on the event loop."""

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np

from serving.decode.job import Job, Piece, Row

# A row that its reader leaves so many tokens behind is set aside until only half as many are unread.
UNREAD_TOKENS: Final = 2048


class Stream:
    """The pieces of a job, from the moment that it is made; lives on one event loop.

    Args:
        job: whose.
        resume: called for a row that was set aside, once its reader has caught up.
    """

    def __init__(self, job: Job, resume: Callable[[Row], None]) -> None:
        self.job = job
        self._resume = resume
        self._pieces: list[tuple[Row | None, Piece]] = []
        # Rows that have not ended; a job that only reads counts as one.
        self.open_rows = max(1, job.rows)
        self._error: Exception | None = None
        self._came: asyncio.Future[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return not self.open_rows or self._error is not None

    async def take(self) -> list[Piece]:
        """Waits until there is something; gives all that there is, one piece for each row; nothing after the end.

        Raises:
            HondoError: why nothing more comes, where that is not the end.
        """
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if not self.open_rows:
                return []
            self._came = asyncio.get_running_loop().create_future()
            await self._came
        taken, self._pieces = self._pieces, []
        for row, piece in taken:
            if row is not None:
                row.taken += len(piece.tokens_T)
                if row.is_parked and row.unread <= UNREAD_TOKENS // 2:
                    self._resume(row)
        return _merged([piece for _, piece in taken])

    def add(self, row: Row | None, piece: Piece) -> None:
        """Takes what a row has written; none has where a job only reads."""
        self._pieces.append((row, piece))
        self.open_rows -= piece.end is not None
        self._wake()

    def fail(self, error: Exception) -> None:
        """Ends the stream, once what came before is taken."""
        if not self.is_over:
            self._error = error
            self._wake()

    def _wake(self) -> None:
        if self._came is not None and not self._came.done():
            self._came.set_result(None)


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Joins the pieces of each row; in the order in which the rows' first came."""
    by_row: dict[int, list[Piece]] = {}
    for piece in pieces:
        parts = by_row.setdefault(piece.row, [])
        if piece.is_whole:
            parts.clear()
        parts.append(piece)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in by_row.values()]


def _joined(parts: list[Piece]) -> Piece:
    return Piece(
        parts[0].row,
        np.concatenate([part.tokens_T for part in parts]),
        np.concatenate([part.log_probability_T for part in parts]),
        parts[-1].end,
        parts[-1].stop,
        np.concatenate([part.attention_TP for part in parts]),
    )
