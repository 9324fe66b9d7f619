"""Reading: the tokens of jobs are read in pieces, several jobs at a time, so that a long text holds nobody up for long.

Legend: N jobs that are read together, T tokens of a piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnxruntime import RunOptions

from serving.decode.graphs import LENGTH, LOG_PROBABILITY, TOKENS, Graphs, next_of, sides
from serving.decode.job import Floats, Job, State

# Tokens of a run; a piece is read at the next of these lengths.
LENGTHS: Final = (4, 8, 16, 24, 32, 48, 64, 80, 96, 104, 112, 120, 128)
# A run may have so many tokens more than its piece, or such a share of the piece; else a shorter piece comes first.
# What is too much costs a matrix product; another run, about as much as a token or two.
_PADDING: Final = 3
_PADDING_SHARE: Final = 1 / 16
# Jobs that are read side by side; where more than a run takes, they take turns.
PLACES: Final = 8


@dataclass(slots=True, eq=False)
class Read:
    """A job, as far as it was read."""

    job: Job
    state: State
    # The first token that was not read yet. That the first of all is known needs no reading.
    begin: int = 0
    # Of each token; 0 for the first.
    log_probability_T: list[Floats] = field(default_factory=lambda: [np.zeros(1, np.float32)])

    @property
    def is_done(self) -> bool:
        """Whether only the last token is left, which is for "step" to take."""
        return self.begin == len(self.job.tokens_T) - 1

    @property
    def length(self) -> int:
        """T of the next piece; it depends on the job alone."""
        unread = len(self.job.tokens_T) - self.begin
        if _padded(min(unread, LENGTHS[-1])) - unread <= max(_PADDING, unread * _PADDING_SHARE):
            return min(unread, LENGTHS[-1])
        return max(length for length in LENGTHS if length < unread)


class Reading:
    """The jobs that are being read.

    Args:
        graphs: what reads.
        sizes: N, ascending.
    """

    def __init__(self, graphs: Graphs, sizes: Sequence[int]) -> None:
        self._graphs = graphs
        self._sizes = sizes
        self.jobs: list[Read] = []
        # Tokens that were read so far, in all.
        self.tokens_read = 0

    @property
    def to_write(self) -> int:
        """How many of the jobs are to write afterwards, and need a slot then."""
        return sum(bool(each.job.rows) for each in self.jobs)

    @property
    def only_read(self) -> int:
        """How many write nothing."""
        return len(self.jobs) - self.to_write

    @property
    def has_room(self) -> bool:
        """Whether another job may join."""
        return len(self.jobs) < PLACES

    def join(self, job: Job) -> None:
        """Takes a job in, at its beginning."""
        self.jobs.append(Read(job, [np.zeros(sides(each), np.float32) for each in self._graphs.states]))

    def run(self, options: RunOptions | None = None) -> list[Read]:
        """Reads the next piece of as many jobs as a run takes; gives those that are done, which leave."""
        unread = [each for each in self.jobs if not each.is_done]
        now, later = unread[: self._sizes[-1]], unread[self._sizes[-1] :]
        if now:
            self._run(now, options)
        done = [each for each in self.jobs if each.is_done]
        self.jobs = [each for each in (*later, *now) if not each.is_done]
        return done

    def _run(self, jobs: Sequence[Read], options: RunOptions | None) -> None:
        assert self._graphs.prefill is not None, "jobs come with the state that they begin with"
        outputs = self._graphs.prefill.run(self._feeds(jobs), options=options)
        after = [outputs[next_of(each.name)] for each in self._graphs.states]
        for place, each in enumerate(jobs):
            length = each.length
            each.state = [part[place].copy() for part in after]
            if not each.job.rows:
                each.log_probability_T.append(outputs[LOG_PROBABILITY][place, 1:length].astype(np.float32))
            # A piece begins with the last token of the one before.
            each.begin += length - 1
            self.tokens_read += length - 1

    def _feeds(self, jobs: Sequence[Read]) -> dict[str, NDArray[Any]]:
        size = next(size for size in self._sizes if size >= len(jobs))
        length = _padded(max(each.length for each in jobs))
        tokens_NT = np.zeros((size, length), np.int64)
        length_N = np.ones(size, np.int64)
        states = [np.zeros((size, *sides(each)), np.float32) for each in self._graphs.states]
        for place, each in enumerate(jobs):
            length_N[place] = each.length
            tokens_NT[place, : each.length] = each.job.tokens_T[each.begin :][: each.length]
            for part, of_row in zip(states, each.state, strict=True):
                part[place] = of_row
        named = {each.name: part for each, part in zip(self._graphs.states, states, strict=True)}
        return {TOKENS: tokens_NT, LENGTH: length_N, **named}


def _padded(length: int) -> int:
    return next(each for each in LENGTHS if each >= length)
