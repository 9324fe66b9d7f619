"""The batcher: requests that arrive together run together, in the order they came, and nobody waits without bound.

Callers live on one event loop. Runs happen on the batcher's own threads, which take work straight from the queue, so
that a busy loop never leaves the session idle; or, where a run is shorter than a change of threads, on the loop itself.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from hondo.artifact import Tensors
from hondo.errors import DeadlineExceeded, Overloaded, Unavailable
from serving.company import Company
from serving.niceness import give_way
from serving.plan import Plan
from serving.queue import Job, Priority, Queue, Share
from serving.session import Session
from serving.sizes import Sizes
from serving.tally import Outcome, Tally

T = TypeVar("T")

# How long requests on the event loop wait for as many as came together before, unless the user says.
_PATIENCE_MS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Queueing:
    """How requests wait."""

    # Rows that may wait; a request that would exceed it is refused at once.
    max_rows: int = 512
    # How long a request may wait for company. On a thread it waits while the session is in use, not unless this is
    # given; on the event loop for as many as came together before, up to a millisecond unless this is given. One that
    # finds the session idle, or comes as alone as those before it, never waits.
    max_wait_ms: float | None = None
    # How long a request may wait to run; None is without limit.
    timeout_ms: float | None = None


class Batcher:
    """Runs one session for many callers; made on the event loop that they live on."""

    def __init__(
        self, plan: Plan, queueing: Queueing, tally: Tally, may_have_all_cores: Callable[[], bool] = lambda: True
    ) -> None:
        """Begins to take work.

        Args:
            plan: how to run the session.
            queueing: how requests wait.
            tally: what counts them.
            may_have_all_cores: asked on any thread before a run that has no rival here: whether it has none elsewhere.
        """
        self._session = plan.session
        self._alone = plan.alone
        self._sizes = plan.sizes or Sizes.alone()
        self._shares_runs = plan.sizes is not None
        self._queueing = queueing
        self._tally = tally
        self._may_have_all_cores = may_have_all_cores
        self._queue = Queue()
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        # What each thread waits on that has nothing to run, the one that ran last at the end. It goes first: its core
        # is warm, and the others' stay free for the threads that help it.
        self._idle: list[threading.Condition] = []
        self._running = 0
        self._idle_since_s = 0.0
        self._company = Company()
        self._boarding = False
        self._patience: asyncio.TimerHandle | None = None
        self._row_s = 0.0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name="batcher", daemon=True) for _ in range(plan.instances)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queued_rows(self) -> int:
        """Rows that wait to run."""
        return self._queue.rows

    async def run(
        self,
        feeds: Tensors,
        outputs: Sequence[str],
        *,
        priority: Priority = Priority.NORMAL,
        timeout_ms: float | None = None,
    ) -> Tensors:
        """Runs the session on some rows, together with whoever else is waiting.

        Args:
            feeds: an array for every input, all with the same number of rows.
            outputs: names of the outputs wanted.
            priority: who goes first.
            timeout_ms: how long it may wait to run; the queue's own limit unless given.

        Returns:
            The outputs for exactly these rows, in their order.

        Raises:
            Overloaded: the queue is full.
            DeadlineExceeded: it waited longer than it may.
            Unavailable: the batcher is closed.
        """
        rows = next(iter(feeds.values())).shape[0] if self._shares_runs else 1
        job = Job(feeds, tuple(outputs), rows, priority, self._loop.create_future())
        self._admit(job)
        limit_ms = self._queueing.timeout_ms if timeout_ms is None else timeout_ms
        timer = None if limit_ms is None else self._loop.call_later(limit_ms / 1000, self._expire, job)
        try:
            return await job.done
        except asyncio.CancelledError:
            self._leave(job, Outcome.CANCELLED)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Refuses new work, runs what is queued, ends the threads."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._wake()
        for thread in self._threads:
            thread.join()

    def _admit(self, job: Job) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("the model is being unloaded")
            # A request larger than the whole queue is taken where nobody waits: otherwise it never could be.
            if self._queue.rows and self._queue.rows + job.rows > self._queueing.max_rows:
                self._tally.requests[Outcome.REFUSED].inc()
                raise self._overloaded()
            self._queue.add(job)
            self._tally.queue_rows.set(self._queue.rows)
            if self._idle:
                self._wake()
        if not self._threads:
            self._board_soon()

    def _wake(self) -> None:
        self._idle.pop().notify()

    def _overloaded(self) -> Overloaded:
        waiting, most = self._queue.rows, self._queueing.max_rows
        return Overloaded(f"the queue is full: {waiting} rows wait, at most {most} may", waiting * self._row_s)

    def _expire(self, job: Job) -> None:
        if self._leave(job, Outcome.EXPIRED) and not job.done.done():
            waited_ms = (time.monotonic() - job.arrived_s) * 1000
            job.done.set_exception(DeadlineExceeded(f"the request waited {waited_ms:.0f} ms to run, as long as it may"))

    def _leave(self, job: Job, outcome: Outcome) -> bool:
        """Takes a job out of the queue before it runs; says whether it still was there."""
        with self._lock:
            if not self._queue.remove(job):
                return False
            self._tally.queue_rows.set(self._queue.rows)
            self._tally.requests[outcome].inc()
            return True

    def _board(self) -> None:
        """Runs what has arrived on the event loop, or waits a moment for those who are expected."""
        self._boarding = False
        if self._queue.rows >= min(self._company.expected, self._sizes.largest):
            self._depart(in_time=True)
        elif self._patience is None:
            patience_ms = _PATIENCE_MS if self._queueing.max_wait_ms is None else self._queueing.max_wait_ms
            self._patience = self._loop.call_later(patience_ms / 1000, lambda: self._depart(in_time=False))

    def _depart(self, *, in_time: bool) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if not self._queue.rows:
            return
        self._company.came(self._queue.rows, in_time=in_time)
        self._run(self._take())
        if self._queue.rows:
            self._board_soon()

    def _board_soon(self) -> None:
        if not self._boarding:
            self._boarding = True
            self._loop.call_soon(self._board)

    def _work(self) -> None:
        """What each thread does: take a batch, run it, hand out its rows; until closed and empty."""
        give_way()
        changed = threading.Condition(self._lock)
        while shares := self._wait_for_batch(changed):
            self._run(shares)
            with self._lock:
                self._running -= 1
                self._idle_since_s = time.monotonic()

    def _wait_for_batch(self, changed: threading.Condition) -> list[Share]:
        """Waits for work and takes the batch to run next; nothing once the batcher is closed and empty."""
        with self._lock:
            while True:
                if not self._queue.rows:
                    if self._closed:
                        return []
                    self._wait(changed, None)
                elif (wait_s := self._wait_for_company_s()) > 0:
                    self._wait(changed, wait_s)
                else:
                    self._running += 1
                    return self._take()

    def _take(self) -> list[Share]:
        shares = self._queue.take(self._sizes)
        self._tally.queue_rows.set(self._queue.rows)
        return shares

    def _wait(self, changed: threading.Condition, at_most_s: float | None) -> None:
        self._idle.append(changed)
        changed.wait(at_most_s)
        if changed in self._idle:
            self._idle.remove(changed)

    def _wait_for_company_s(self) -> float:
        """Gives how long the oldest request should still wait for others to share its run."""
        max_wait_s = (self._queueing.max_wait_ms or 0) / 1000
        if not max_wait_s or self._closed or self._queue.rows >= self._sizes.largest:
            return 0.0
        now_s = time.monotonic()
        if not self._running and now_s - self._idle_since_s > max_wait_s:
            return 0.0
        return self._queue.oldest_s() + max_wait_s - now_s

    def _run(self, shares: list[Share]) -> None:
        started_s = time.monotonic()
        try:
            arrays = self._chosen().run(self._joined(shares), shares[0].job.outputs)
        except Exception as error:  # noqa: BLE001  whatever the graph raises belongs to the request that caused it
            if len(shares) == 1:
                self._hand_out(self._fail, shares, error)
                return
            for share in shares:
                self._run([share])  # alone, so that one bad request does not fail its company
        else:
            self._remember(started_s, shares)
            self._hand_out(self._deliver, shares, arrays)

    def _chosen(self) -> Session:
        """Gives the session for a run: that on all cores where nothing else runs or waits."""
        is_alone = self._running == 1 and not self._queue.rows and self._may_have_all_cores()
        return self._alone if self._alone and is_alone else self._session

    def _remember(self, started_s: float, shares: list[Share]) -> None:
        """Counts a run, and keeps a running mean of the time a row takes, over all that run side by side."""
        ended_s = time.monotonic()
        rows = sum(share.rows for share in shares)
        took_s = ended_s - started_s
        for share in shares:
            share.job.ran(started_s, ended_s)
        self._row_s += 0.1 * (took_s / (rows * max(1, len(self._threads))) - self._row_s)
        self._tally.batch_rows.observe(rows)
        self._tally.run_seconds.observe(took_s)
        self._tally.run_seconds_by_rows[rows].observe(took_s)

    def _joined(self, shares: list[Share]) -> Tensors:
        """Joins the rows of a batch and pads them to a warmed size with copies of the last row."""
        rows = sum(share.rows for share in shares)
        padding = self._sizes.padded(rows) - rows
        first = shares[0].feeds()
        if len(shares) == 1 and not padding:
            return first
        parts = [share.feeds() for share in shares]
        if padding:
            parts.append({name: np.repeat(array[-1:], padding, axis=0) for name, array in parts[-1].items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in first}

    def _hand_out(self, function: Callable[[list[Share], T], None], shares: list[Share], outcome: T) -> None:
        """Brings the outcome of a run to the event loop."""
        if self._threads:
            self._loop.call_soon_threadsafe(function, shares, outcome)
        else:
            function(shares, outcome)

    def _deliver(self, shares: list[Share], arrays: Tensors) -> None:
        self._tally.requests[Outcome.ANSWERED].inc(sum(share.end == share.job.rows for share in shares))
        if len(shares) == 1 and shares[0].rows == shares[0].job.rows == self._sizes.padded(shares[0].rows):
            shares[0].job.finish(arrays)
            return
        first = 0
        for share in shares:
            rows = slice(first, first + share.rows)
            share.job.add(share.start, {name: array[rows] for name, array in arrays.items()})
            first += share.rows

    def _fail(self, shares: list[Share], error: Exception) -> None:
        for share in shares:
            with self._lock:
                self._queue.remove(share.job)
            if not share.job.done.done():
                share.job.done.set_exception(error)
                self._tally.requests[Outcome.FAILED].inc()
