"""A job: tokens to read, and how to write on from there, in one row or in several; and what comes of it, in pieces.

Legend: T tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from serving.decode.chance import Chance

Tokens = NDArray[np.int64]
Floats = NDArray[np.float32]
# The parts of one row's state, in the graphs' order.
State = Sequence[Floats]


class End(Enum):
    """Why no more comes."""

    # As many tokens as were wanted are written.
    LENGTH = auto()
    # One of the stops was written.
    STOP = auto()
    # All was read, and nothing was to be written.
    READ = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """What one row has written since its piece before; of a job that writes nothing, what it has read."""

    row: int
    tokens_T: Tokens
    # Of each token after those before it, by the net itself; natural logarithms. 0 for the first that is read.
    log_probability_T: Floats
    # With the row's last piece.
    end: End | None = None
    # Which of the stops it was, where one is the end: the last tokens written.
    stop: int | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """What is asked of the loop."""

    # At least one token.
    tokens_T: Tokens
    # Rows that write on, each by chances of its own; none to have the tokens' probabilities instead.
    rows: int = 1
    # Tokens that each row writes at most.
    limit: int = 0
    # What "step" takes of a row beside its tokens and its state.
    constants: Mapping[str, float | Floats] = field(default_factory=dict)
    # A row ends where it has written one of these.
    stops: Sequence[Tokens] = ()
    seed: int = 0
    # From one piece of a row to the next, at least.
    interval_s: float = 0.0
    # Rows that have not ended; the loop counts.
    open_rows: int = field(init=False)

    def __post_init__(self) -> None:
        """Counts the rows."""
        self.open_rows = self.rows


@dataclass(slots=True, eq=False)
class Row:
    """One of a job's rows; its numbers are the loop's own while it is in the batch."""

    job: Job
    number: int
    # What the next step takes.
    token: int
    state: State
    # Tokens that are yet to be written.
    left: int
    chance: Chance
    # Numbers that were drawn and not used.
    spare: Floats
    # The last tokens that were put by, as many as a stop may have.
    tail_T: Tokens
    # Tokens and their log-probabilities that were written and not given away.
    put_by: list[tuple[Tokens, Floats]] = field(default_factory=list)
    # The column of the batch's lap from which on nothing is put by yet; when to give away, time.monotonic(): what is
    # written first, at once.
    begin: int = 0
    due_s: float = 0.0
    # When it joined the batch, time.monotonic(); laps that it is there without a break.
    joined_s: float = 0.0
    laps: int = 0
    # Tokens given away, by the loop's thread, and of these taken by the reader, on the event loop.
    given: int = 0
    taken: int = 0
    # Whether it waits for its reader.
    is_parked: bool = False

    @classmethod
    def of(cls, job: Job, number: int, state: State) -> "Row":
        """Gives one of a job's rows at its start."""
        nothing = np.empty(0, np.float32), np.empty(0, np.int64)
        return cls(job, number, int(job.tokens_T[-1]), state, job.limit, Chance(job.seed, number), *nothing)

    @property
    def unread(self) -> int:
        """Tokens that the reader has not taken yet."""
        return self.given - self.taken

    def draw(self, count: int) -> Floats:
        """Gives the next of its numbers, f32[count]."""
        if len(self.spare) < count:
            self.spare = np.concatenate([self.spare, self.chance.draw(count - len(self.spare))])
        drawn, self.spare = self.spare[:count], self.spare[count:]
        return drawn
