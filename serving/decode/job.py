"""A job: tokens to read, and how to write on from there, in one row or in several; and what comes of it, in pieces.

Legend: T tokens, P places of a picture.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.decode.chance import Chance

Tokens = NDArray[np.int64]
Floats = NDArray[np.float32]
# The parts of one row's state, in the graphs' order.
State = Sequence[Floats]

# More tokens than any row writes.
WITHOUT_LIMIT: Final = 2**62


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
    # How much was looked at each place at each token; P is 0 where the net does not say.
    attention_TP: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    # Whether it is all that the row has written, and the pieces before it are void: so a beam changes its mind.
    is_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the rows of a job look together for the most probable text: by a beam, as wide as they are many."""

    # The token that ends a text.
    end: int
    # Texts are compared by their log-probabilities divided by the count of their tokens to this power; 0 or more.
    length_penalty: float = 0.0
    # How many of the texts are wanted, the best first: what cannot change them any more is not looked for.
    wanted: int = 1
    # Whether to give, after each step that is due, what is best so far.
    shows_best: bool = False


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
    # What is remembered before the last of the tokens; None where the tokens are to be read first.
    state: State | None = None
    # How the rows look for one text together; none where each writes by itself.
    search: Search | None = None
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
    # Tokens, their log-probabilities and attention that were written and not given away.
    put_by: list[tuple[Tokens, Floats, Floats]] = field(default_factory=list)
    # Where it is in the batch.
    place: int = 0
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
        row = cls(job, number, int(job.tokens_T[-1]), state, job.limit, Chance(job.seed, number), *nothing)
        if job.search is not None:
            # The beam decides when its rows are over, and gives away what they have found.
            row.left, row.due_s = WITHOUT_LIMIT, math.inf
        return row

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
