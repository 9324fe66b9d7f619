"""The batch: the rows that write together, in buffers that are made once.

A row's place is among the first: where one leaves, the last takes its place, so that a run takes no gaps and nothing
is copied but what moves. What rows write, and the numbers by which they choose, lie in laps of many steps: columns that
all rows share, so that a step handles all rows at once, and a single row only where it begins, ends or gives away what
it has.

Legend: S slots, N rows of a run, K tokens a run, T tokens of a lap, E last tokens of stops, C candidates, W rows of a
beam, P places of a picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnxruntime import RunOptions

from serving.decode import states
from serving.decode.graphs import (
    ATTENTION,
    CANDIDATE,
    CANDIDATE_LOG_PROBABILITY,
    LOG_PROBABILITY,
    NEXT_TOKEN,
    TOKEN,
    UNIFORM,
    Graphs,
    next_of,
    sides,
)
from serving.decode.job import WITHOUT_LIMIT, End, Floats, Piece, Row, Tokens
from serving.runtime.session import Bound, Run, Session

# Runs of a lap.
LAP: Final = 64
# Stops that a job may have.
MAX_STOPS: Final = 8
_NO_TOKEN: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What the last run says of some rows: tokens that may come next, the most probable first, and where it looked."""

    token_WC: Tokens
    log_probability_WC: Floats
    attention_WP: Floats


@dataclass(frozen=True, slots=True)
class Ended:
    """A row that is at its end."""

    place: int
    end: End
    # The column after its last token.
    column: int
    stop: int | None = None


class Batch:
    """The rows that write together.

    Args:
        graphs: what runs.
        sizes: N, ascending, the largest being S: a run takes the smallest that holds all rows.
        wide: graph "step" on all cores, where there is one.
    """

    def __init__(self, graphs: Graphs, sizes: Sequence[int], wide: Session | None = None) -> None:
        slots, steps = sizes[-1], graphs.steps
        self.rows: list[Row] = []
        self.slots = slots
        self._steps = steps
        self._column = 0
        self._columns = LAP * steps
        self._token_S = np.zeros(slots, np.int64)
        self._uniform_SK = np.zeros((slots, steps), np.float32)
        self._next_SK = np.zeros((slots, steps), np.int64)
        self._log_probability_SK = np.zeros((slots, steps), np.float32)
        self._states = states.of(graphs, slots)
        self._constants = {each.name: np.zeros((slots, *sides(each)), each.datatype.numpy) for each in graphs.constants}
        self._lap_uniform_ST = np.zeros((slots, self._columns), np.float32)
        self._lap_tokens_ST = np.zeros((slots, self._columns), np.int64)
        self._lap_log_probability_ST = np.zeros((slots, self._columns), np.float32)
        self._candidate_SC = np.zeros((slots, graphs.candidates), np.int64)
        self._candidate_log_probability_SC = np.zeros((slots, graphs.candidates), np.float32)
        self._attention_SP = np.zeros((slots, graphs.places), np.float32)
        self._lap_attention_STP = np.zeros((slots, self._columns, graphs.places), np.float32)
        self._left_S = np.zeros(slots, np.int64)
        self._last_of_stops_SE = np.full((slots, MAX_STOPS), _NO_TOKEN, np.int64)
        self._with_stops = 0
        # No row has fewer tokens left than this.
        self._least_left = 0
        self._size_of = [next(size for size in sizes if size >= rows) for rows in range(slots + 1)]
        # By the states' front, by N; the same on all cores.
        self._runs = self._bound(graphs, graphs.step, sizes)
        self._wide_runs = self._runs if wide is None else self._bound(graphs, wide, sizes)

    @property
    def free(self) -> int:
        """How many rows may join."""
        return self.slots - len(self.rows)

    @property
    def is_lap_over(self) -> bool:
        """Whether the next lap must begin before the next run."""
        return self._column == self._columns

    def join(self, row: Row) -> None:
        """Takes a row in."""
        row.place = place = len(self.rows)
        self.rows.append(row)
        self._token_S[place] = row.token
        self._states.write(place, row.state)
        for name, buffer_S in self._constants.items():
            buffer_S[place] = row.job.constants[name]
        self._lap_uniform_ST[place, self._column :] = row.draw(self._columns - self._column)
        self._left_S[place] = row.left
        self._least_left = min(self._least_left, row.left)
        self._last_of_stops_SE[place] = _NO_TOKEN
        for number, stop_T in enumerate(row.job.stops):
            self._last_of_stops_SE[place, number] = stop_T[-1]
        self._with_stops += bool(row.job.stops)
        row.begin, row.laps = self._column, 0

    def leave(self, place: int) -> Row:
        """Takes a row out, with all that it needs to join again."""
        row = self.rows[place]
        row.token = int(self._token_S[place])
        row.state = self._states.read(place)
        row.left = int(self._left_S[place])
        row.spare = np.concatenate([self._lap_uniform_ST[place, self._column :], row.spare])
        self.drop(place)
        return row

    def drop(self, place: int) -> None:
        """Takes a row out for good."""
        row, last = self.rows[place], len(self.rows) - 1
        self._with_stops -= bool(row.job.stops)
        if place != last:
            self._states.move(last, place)
            for buffer_S in self._moving():
                buffer_S[place] = buffer_S[last]
            self.rows[place] = self.rows[last]
            self.rows[place].place = place
        self.rows.pop()

    def run(self, options: RunOptions | None = None, *, on_all_cores: bool = False) -> None:
        """Writes K tokens in every row."""
        rows, start, end = len(self.rows), self._column, self._column + self._steps
        self._uniform_SK[:rows] = self._lap_uniform_ST[:rows, start:end]
        runs = self._wide_runs if on_all_cores else self._runs
        runs[self._states.front][self._size_of[rows]](options)
        self._states.swap()
        self._lap_tokens_ST[:rows, start:end] = self._next_SK[:rows]
        self._lap_log_probability_ST[:rows, start:end] = self._log_probability_SK[:rows]
        if self._attention_SP.size:
            self._lap_attention_STP[:rows, start] = self._attention_SP[:rows]
        self._token_S[:rows] = self._next_SK[:rows, -1]
        self._left_S[:rows] -= self._steps
        self._least_left -= self._steps
        self._column = end

    def named(self, places_W: Sequence[int]) -> Named:
        """Gives what the last run says of the rows in some places."""
        places = list(places_W)
        attention_WP = self._attention_SP[places]
        return Named(self._candidate_SC[places], self._candidate_log_probability_SC[places], attention_WP)

    def go_on(self, places_W: Sequence[int], sources_W: Sequence[int], tokens_W: Sequence[int]) -> None:
        """Has the rows in some places go on from the states of others, each with another token."""
        self._states.rearrange(places_W, sources_W)
        self._token_S[list(places_W)] = tokens_W

    def ended(self) -> list[Ended]:
        """Gives the rows that the last run has brought to their end, the last place first."""
        rows = len(self.rows)
        places: set[int] = set()
        if self._least_left <= 0:
            left_N = self._left_S[:rows]
            places.update(np.flatnonzero(left_N <= 0).tolist())
            self._least_left = int(left_N[left_N > 0].min(initial=WITHOUT_LIMIT))
        elif not self._with_stops:
            return []
        written: dict[int, list[int]] = {}
        if self._with_stops:
            hit_NK = (self._next_SK[:rows, :, None] == self._last_of_stops_SE[:rows, None, :]).any(axis=2)
            for place, step in np.argwhere(hit_NK).tolist():
                written.setdefault(place, []).append(self._column - self._steps + step)
        found = (self._ended(place, written.get(place, ())) for place in sorted({*places, *written}, reverse=True))
        return [each for each in found if each is not None]

    def give(self, place: int, ended: Ended | None = None) -> Piece:
        """Gives what a row has written since it last gave."""
        row = self.rows[place]
        end = self._column if ended is None else ended.column
        self._put_by(place, end)
        tokens_T, log_probability_T, attention_TP = (np.concatenate(parts) for parts in zip(*row.put_by, strict=True))
        row.put_by.clear()
        row.given += len(tokens_T)
        if ended is None:
            return Piece(row.number, tokens_T, log_probability_T, attention_TP=attention_TP)
        return Piece(row.number, tokens_T, log_probability_T, ended.end, ended.stop, attention_TP)

    def turn(self) -> None:
        """Begins the next lap."""
        for place in range(len(self.rows)):
            self._put_by(place, self._columns)
        self._column = 0
        for place, row in enumerate(self.rows):
            self._lap_uniform_ST[place] = row.draw(self._columns)
            row.begin = 0
            row.laps += 1

    def _put_by(self, place: int, end: int) -> None:
        """Copies what a row has written up to a column to where later steps do not overwrite it."""
        row = self.rows[place]
        columns = slice(row.begin, end)
        tokens_T = self._lap_tokens_ST[place, columns].copy()
        log_probability_T = self._lap_log_probability_ST[place, columns].copy()
        row.put_by.append((tokens_T, log_probability_T, self._lap_attention_STP[place, columns].copy()))
        row.begin = end
        if row.job.stops:
            longest = max(len(stop_T) for stop_T in row.job.stops)
            row.tail_T = np.concatenate([row.tail_T, tokens_T])[-longest:]

    def _moving(self) -> Iterator[NDArray[Any]]:
        """Goes through the buffers in which a row has something that stays, beside its state."""
        yield from (self._token_S, self._left_S, self._last_of_stops_SE)
        yield from self._constants.values()
        yield from (self._lap_uniform_ST, self._lap_tokens_ST, self._lap_log_probability_ST, self._lap_attention_STP)

    def _ended(self, place: int, columns: Sequence[int]) -> Ended | None:
        """Gives how a row has ended, if it has; `columns` are those in which it has written a stop's last token."""
        # What is written beyond the limit does not count.
        limit = self._column + min(0, int(self._left_S[place]))
        for column in columns:
            stop = self._stop(place, column + 1)
            if column < limit and stop is not None:
                return Ended(place, End.STOP, column + 1, stop)
        return Ended(place, End.LENGTH, limit) if self._left_S[place] <= 0 else None

    def _stop(self, place: int, end: int) -> int | None:
        """Gives which stop a row has written before a column, if any: the longest of several."""
        row = self.rows[place]
        recent_T = np.concatenate([row.tail_T, self._lap_tokens_ST[place, row.begin : end]])
        matching = [
            number for number, stop_T in enumerate(row.job.stops) if np.array_equal(recent_T[-len(stop_T) :], stop_T)
        ]
        return max(matching, key=lambda number: len(row.job.stops[number]), default=None)

    def _bound(self, graphs: Graphs, step: Session, sizes: Sequence[int]) -> list[dict[int, Run]]:
        """Gives what runs "step", for each front and N."""
        return [{size: self._bound_at(graphs, step, size, front) for size in sizes} for front in range(2)]

    def _bound_at(self, graphs: Graphs, step: Session, size: int, front: int) -> Run:
        """Gives what runs so many rows on these buffers."""
        before, after = self._states.rows(front, size), self._states.rows(1 - front, size)
        inputs: dict[str, Bound] = {TOKEN: self._token_S[:size], UNIFORM: self._uniform_SK[:size]}
        inputs |= {each.name: part for each, part in zip(graphs.states, before, strict=True)}
        inputs |= {name: buffer_S[:size] for name, buffer_S in self._constants.items()}
        outputs: dict[str, Bound] = {
            NEXT_TOKEN: self._next_SK[:size],
            LOG_PROBABILITY: self._log_probability_SK[:size],
        }
        if graphs.candidates:
            outputs[CANDIDATE] = self._candidate_SC[:size]
            outputs[CANDIDATE_LOG_PROBABILITY] = self._candidate_log_probability_SC[:size]
        if graphs.places:
            outputs[ATTENTION] = self._attention_SP[:size]
        outputs |= {next_of(each.name): part for each, part in zip(graphs.states, after, strict=True)}
        return step.bind(inputs, outputs)
