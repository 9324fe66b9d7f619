"""The decode loop: many jobs share each step of a net that writes; token in, token out.

Whose turn it is, is decided on the loop's own thread alone, between two steps; the event loop posts there what it
wants, and is woken at most once a step. Jobs wait in one line. Its head takes a free slot at once: a job, whose tokens
are to be read first, or a row that goes on. While rows write, reading takes about as long as writing, and goes on after
some steps at the latest. A row that has held its slot for some laps goes to the line's end if anybody waits; one whose
reader lags gives its slot up, and joins the line when the reader has caught up. So every row that waits comes next
after a bounded number of steps. The rows of a beam join together, and leave together when it is over; they are few, and
their texts short, so that they neither take turns nor wait for readers.

Where pictures are looked at before their jobs come here, and there are enough of them to keep all cores busy, a step
now takes its time from them, and later it serves them too: steps rest in between then, so that they take a small share
of one core, and rows gather.
"""

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import numpy as np

from hondo.errors import DeadlineExceeded, Overloaded, Unavailable
from serving.batching.batcher import Queueing
from serving.batching.leash import Leash, watch
from serving.decode.batch import Batch, Ended
from serving.decode.beam import Beam
from serving.decode.job import End, Job, Piece, Row, State
from serving.decode.plan import Plan
from serving.decode.reading import PLACES, Read, Reading
from serving.decode.stream import UNREAD_TOKENS, Stream
from serving.runtime.niceness import give_way
from serving.telemetry.tally import DecodeTally, Outcome

# For how many laps a row keeps its slot while others wait.
_TURN_LAPS: Final = 4
# Reading goes on after so many steps at the latest.
_MOST_STEPS: Final = 32
# Of the places for reading, those that jobs may have which only read.
_READ_ONLY: Final = PLACES // 2
# While all cores are needed for what comes, a step is followed by a rest so many times as long as it computed.
_REST: Final = 4


class Loop:
    """Reads and writes for many callers; made on the event loop that they live on."""

    def __init__(self, plan: Plan, queueing: Queueing, tally: DecodeTally) -> None:
        self._queueing = queueing
        self._tally = tally
        self._loop = asyncio.get_running_loop()
        # How many rows write side by side.
        self.slots = plan.sizes[-1]
        self._cores = plan.cores
        # Jobs whose beginning is still computed.
        self._expected = 0
        # Rows that came and have not ended, as the event loop knows it; seconds that one holds a slot, on average.
        self._rows = 0
        self._row_s = 0.0
        self._is_closed = False
        self._changed = threading.Condition()
        self._posted: deque[Callable[[], None]] = deque()
        # All below is the thread's.
        # What holds the run that is under way, or held the last.
        self._leash = Leash(queueing.run_s)
        self._batch = Batch(plan.graphs, plan.sizes, plan.wide)
        self._reading = Reading(plan.graphs, plan.read_sizes)
        self._streams: dict[Job, Stream] = {}
        self._beams: dict[Job, Beam] = {}
        self._line: deque[Job | Row] = deque()
        self._to_read: deque[Job] = deque()
        self._outbox: list[tuple[Stream, Row | None, Piece | Exception]] = []
        # When the first of the rows should give away what it has.
        self._due_s = 0.0
        # When the rest after the last step is over, time.monotonic().
        self._rested_s = 0.0
        # How long reading last took; how long writing took since, and in how many steps.
        self._read_s = self._wrote_s = 0.0
        self._steps = 0
        self._running_rows = 0
        watch()
        self._thread = threading.Thread(target=self._work, name="decode", daemon=True)
        self._thread.start()

    @property
    def rows(self) -> int:
        """How many rows came and have not ended."""
        return self._rows

    @contextmanager
    def expects(self) -> Iterator[None]:
        """Knows of a job that is on its way, as long as cores compute what it begins with."""
        self._expected += 1
        try:
            yield
        finally:
            self._expected -= 1

    def begin(self, job: Job, timeout_ms: float | None = None) -> Stream:
        """Takes a job.

        Args:
            job: what to read and write; a beam of no more than `slots` rows.
            timeout_ms: how long it may wait to begin; the queue's own limit unless given.

        Raises:
            Overloaded: too many rows wait.
            Unavailable: the loop is closed.
        """
        if self._is_closed:
            raise Unavailable("the model is being unloaded")
        stream = Stream(job, self._resume_soon)
        if self._rows and self._rows + stream.open_rows > self.slots + self._queueing.max_rows:
            self._tally.requests[Outcome.REFUSED].inc()
            raise self._overloaded()
        self._rows += stream.open_rows
        self._post(partial(self._enter, stream))
        limit_ms = self._queueing.timeout_ms if timeout_ms is None else timeout_ms
        if limit_ms is not None:
            self._loop.call_later(limit_ms / 1000, self._post, partial(self._expire, stream, limit_ms))
        return stream

    def leave(self, stream: Stream) -> None:
        """Ends a job whose reader is gone, if it has not ended: its rows leave before the next step."""
        if not stream.is_over:
            self._finish(stream, Outcome.CANCELLED)
            stream.fail(Unavailable("its reader has left"))
            self._post(partial(self._drop, stream.job))
            if not self._rows:
                self._leash.pull()  # nobody is left whom the run under way is for

    def close(self) -> None:
        """Refuses new jobs, ends those that are there, ends the thread."""
        self._is_closed = True
        self._post(self._end)
        self._thread.join()

    def _overloaded(self) -> Overloaded:
        waiting, most = max(0, self._rows - self.slots), self._queueing.max_rows
        text = f"the queue is full: {waiting} rows wait, at most {most} may"
        return Overloaded(text, waiting * self._row_s / self.slots)

    def _post(self, what: Callable[[], None]) -> None:
        """Has the thread do something before its next step."""
        with self._changed:
            self._posted.append(what)
            self._changed.notify()

    def _resume_soon(self, row: Row) -> None:
        self._post(partial(self._resume, row))

    def _deliver(self, outbox: list[tuple[Stream, Row | None, Piece | Exception]]) -> None:
        """Brings what the thread has for them to the streams, on the event loop."""
        for stream, row, what in outbox:
            if stream.is_over:
                continue
            if isinstance(what, Piece):
                if what.end is not None:
                    self._rows -= 1
                stream.add(row, what)
                if not stream.open_rows:
                    self._tally.requests[Outcome.ANSWERED].inc()
            else:
                self._finish(stream, Outcome.EXPIRED if isinstance(what, DeadlineExceeded) else Outcome.FAILED)
                stream.fail(what)
        self._count_waiting()

    def _finish(self, stream: Stream, outcome: Outcome) -> None:
        self._rows -= stream.open_rows
        self._tally.requests[outcome].inc()

    def _count_waiting(self) -> None:
        self._tally.queue_rows.set(max(0, self._rows - self._running_rows))

    # What follows runs on the thread.

    def _work(self) -> None:
        """Admits, reads and writes, again and again; until closed."""
        give_way()
        while self._obey():
            self._admit()
            if self._read():
                self._admit()
            self._write()
            self._send()

    def _obey(self) -> bool:
        """Does what was posted; waits while there is nothing to do, or a step should rest. Says whether to go on."""
        while True:
            while self._posted:
                self._posted.popleft()()
            self._count_running()
            has_work = bool(self._batch.rows or self._reading.jobs or self._line or self._to_read)
            rest_s = self._rest_s() if has_work else None
            if rest_s == 0:
                return True
            self._send()
            with self._changed:
                if self._posted:
                    continue
                if self._is_closed and not has_work:
                    return False
                self._changed.wait(rest_s)

    def _rest_s(self) -> float:
        """Gives how long the next step should wait yet."""
        are_cores_busy = self._cores is not None and self._expected >= self._cores
        return max(0.0, self._rested_s - time.monotonic()) if are_cores_busy else 0.0

    def _count_running(self) -> None:
        if self._running_rows != len(self._batch.rows):
            self._running_rows = len(self._batch.rows)
            self._tally.running_rows.set(self._running_rows)
            self._count_waiting()

    def _enter(self, stream: Stream) -> None:
        self._streams[stream.job] = stream
        (self._line if stream.job.rows else self._to_read).append(stream.job)

    def _resume(self, row: Row) -> None:
        if row.is_parked and row.job in self._streams:
            row.is_parked = False
            self._line.append(row)

    def _expire(self, stream: Stream, limit_ms: float) -> None:
        """Ends a job that has waited as long as it may; one that has begun goes on."""
        if stream.job in self._line or stream.job in self._to_read:
            text = f"the request waited {limit_ms:.0f} ms to begin, as long as it may"
            self._fail(stream.job, DeadlineExceeded(text))

    def _fail(self, job: Job, error: Exception) -> None:
        if job in self._streams:
            self._outbox.append((self._streams[job], None, error))
            self._drop(job)

    def _drop(self, job: Job) -> None:
        """Forgets a job and its rows, wherever they are."""
        if self._streams.pop(job, None) is None:
            return
        self._beams.pop(job, None)
        for place in reversed(range(len(self._batch.rows))):
            if self._batch.rows[place].job is job:
                self._batch.drop(place)
        self._reading.jobs = [each for each in self._reading.jobs if each.job is not job]
        for line in (self._line, self._to_read):
            kept = [each for each in line if each is not job and not (isinstance(each, Row) and each.job is job)]
            line.clear()
            line.extend(kept)  # type: ignore[arg-type]

    def _end(self) -> None:
        for job in list(self._streams):
            self._fail(job, Unavailable("the model is being unloaded"))

    def _admit(self) -> None:
        """Gives free slots to those who wait longest; to jobs, whose tokens are to be read first, in advance."""
        while self._line and self._batch.free > self._reading.to_write and self._has_room(self._line[0]):
            self._take(self._line.popleft())
        while self._to_read and self._reading.has_room and self._reading.only_read < _READ_ONLY:
            self._reading.join(self._to_read.popleft())

    def _has_room(self, head: Job | Row) -> bool:
        """Says whether there is room for the line's head, where a slot is free."""
        if isinstance(head, Row):
            return True
        if head.search is not None:
            return self._batch.free - self._reading.to_write >= head.rows
        return head.state is not None or self._reading.has_room

    def _take(self, head: Job | Row) -> None:
        if isinstance(head, Row):
            self._join(head)
        elif head.search is not None:
            self._join_beam(head)
        elif head.state is not None:
            self._line.extendleft(reversed(_rows(head, head.state)))
        else:
            self._reading.join(head)

    def _join(self, row: Row) -> None:
        self._due_s = min(self._due_s, row.due_s)
        row.joined_s = time.monotonic()
        self._batch.join(row)

    def _join_beam(self, job: Job) -> None:
        assert job.state is not None, "beams begin where all has been read"
        rows = _rows(job, job.state)
        for row in rows:
            self._join(row)
        self._beams[job] = Beam(job, rows)

    def _read(self) -> bool:
        """Reads a piece of what is to be read, unless it is the writers' turn; says whether any job is done."""
        is_writers_turn = self._batch.rows and self._wrote_s < self._read_s and self._steps < _MOST_STEPS
        if not self._reading.jobs or is_writers_turn:
            return False
        began_s = time.perf_counter()
        rows, before = len(self._reading.jobs), self._reading.tokens_read
        try:
            with self._held() as leash:
                done = self._reading.run(leash.options)
        except Exception as error:  # noqa: BLE001  whatever the graph raises belongs to those that it was run for
            for each in list(self._reading.jobs):
                self._fail(each.job, self._leash.why(error))
            return False
        self._read_s, self._wrote_s, self._steps = time.perf_counter() - began_s, 0.0, 0
        if self._reading.tokens_read > before:
            self._tally.read_rows.observe(rows)
            self._tally.read_seconds.observe(self._read_s)
            self._tally.read_tokens.inc(self._reading.tokens_read - before)
        for each in done:
            self._was_read(each)
        return bool(done)

    def _held(self) -> Leash:
        self._leash = Leash(self._queueing.run_s)
        return self._leash

    def _was_read(self, read: Read) -> None:
        job = read.job
        if job.rows:
            self._line.extendleft(reversed(_rows(job, read.state)))
        else:
            piece = Piece(0, job.tokens_T, np.concatenate(read.log_probability_T), End.READ)
            self._outbox.append((self._streams.pop(job), None, piece))

    def _write(self) -> None:
        """Does a step; rows that are at their end leave, and others give away what they have where that is due."""
        rows = len(self._batch.rows)
        if not rows:
            return
        began_s, computed_s = time.perf_counter(), -time.thread_time()
        try:
            with self._held() as leash:
                self._batch.run(leash.options, on_all_cores=not self._expected)
        except Exception as error:  # noqa: BLE001  as above
            for row in list(self._batch.rows):
                self._fail(row.job, self._leash.why(error))
            return
        took_s = time.perf_counter() - began_s
        self._wrote_s += took_s
        self._steps += 1
        self._tally.step_rows.observe(rows)
        self._tally.step_seconds.observe(took_s)
        now_s, computed_s = time.monotonic(), computed_s + time.thread_time()
        self._rested_s = now_s + _REST * computed_s
        # Whoever leaves has others take its place: all must have seen what the step has given to theirs.
        over = [beam for beam in self._beams.values() if not self._goes_on(beam, now_s)]
        for ended in self._batch.ended():
            self._end_row(ended, now_s)
        for beam in over:
            self._end_beam(beam, now_s)
        if now_s >= self._due_s:
            self._give(now_s)
        if self._batch.is_lap_over:
            self._batch.turn()
            self._take_turns()

    def _end_row(self, ended: Ended, now_s: float) -> None:
        row = self._batch.rows[ended.place]
        self._give_away(row, self._batch.give(ended.place, ended))
        self._row_s += 0.1 * (now_s - row.joined_s - self._row_s)
        self._batch.drop(ended.place)
        row.job.open_rows -= 1
        if not row.job.open_rows:
            del self._streams[row.job]

    def _goes_on(self, beam: Beam, now_s: float) -> bool:
        """Has a beam's rows go on with what is best, unless it is over; says whether they do."""
        places = [row.place for row in beam.rows]
        turn = beam.step(self._batch.named(places))
        if beam.is_over:
            return False
        self._batch.go_on(places, [places[source] for source in turn.sources], turn.tokens)
        search = beam.job.search
        if search is not None and search.shows_best and now_s >= beam.due_s:
            beam.due_s = now_s + beam.job.interval_s
            self._outbox.append((self._streams[beam.job], None, beam.best()))
        return True

    def _end_beam(self, beam: Beam, now_s: float) -> None:
        pieces = beam.pieces()
        self._outbox.extend((self._streams[beam.job], None, piece) for piece in pieces)
        self._tally.written_tokens.inc(len(pieces[0].tokens_T))
        self._row_s += 0.1 * (now_s - beam.rows[0].joined_s - self._row_s)
        for place in sorted((row.place for row in beam.rows), reverse=True):
            self._batch.drop(place)
        del self._beams[beam.job], self._streams[beam.job]

    def _give(self, now_s: float) -> None:
        """Has rows give away what they have, where it is due; sets those aside whose readers lag."""
        for place in reversed(range(len(self._batch.rows))):
            row = self._batch.rows[place]
            if row.due_s <= now_s:
                row.due_s = now_s + row.job.interval_s
                self._give_away(row, self._batch.give(place))
                if row.unread >= UNREAD_TOKENS:
                    self._park(place)
        self._due_s = min((row.due_s for row in self._batch.rows), default=0.0)

    def _give_away(self, row: Row, piece: Piece) -> None:
        self._outbox.append((self._streams[row.job], row, piece))
        self._tally.written_tokens.inc(len(piece.tokens_T))

    def _park(self, place: int) -> None:
        row = self._batch.leave(place)
        row.is_parked = True
        # The reader may have caught up before it could know.
        if row.unread <= UNREAD_TOKENS // 2:
            self._resume(row)

    def _take_turns(self) -> None:
        """Sends so many rows to the line's end as others wait for, those first that have their slots for longest."""
        wanted = len(self._line) - self._batch.free
        longest = sorted(range(len(self._batch.rows)), key=lambda place: -self._batch.rows[place].laps)
        over = [place for place in longest if self._batch.rows[place].laps >= _TURN_LAPS]
        for place in sorted(itertools.islice(over, max(0, wanted)), reverse=True):
            self._line.append(self._batch.leave(place))

    def _send(self) -> None:
        """Wakes the event loop, if there is anything for it."""
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            self._loop.call_soon_threadsafe(self._deliver, outbox)


def _rows(job: Job, state: State) -> list[Row]:
    """Gives a job's rows at their start."""
    return [Row.of(job, number, state) for number in range(job.rows)]
