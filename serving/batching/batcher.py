"""The batcher: requests that arrive together run together, in the order they came, and nobody waits without bound.

Callers live on one event loop. Runs happen on the batcher's own threads, which take work straight from the queue, so
that a busy loop never leaves the session idle; or, where a run is shorter than a change of threads, on the loop itself.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from hondo.artifact import Tensors
from hondo.errors import DeadlineExceeded, Overloaded, ResourceExhausted, Unavailable
from serving.batching.company import Company
from serving.batching.leash import Leash, watch
from serving.batching.queue import Job, Priority, Queue, Share
from serving.runtime.niceness import give_way
from serving.runtime.plan import Plan
from serving.runtime.runner import Plain, Runner
from serving.runtime.session import Session
from serving.runtime.sizes import Sizes
from serving.telemetry.tally import Outcome, Tally

T = TypeVar("T")

_log = logging.getLogger(__name__)

# How long requests on the event loop wait for as many as came together before, unless the user says.
_PATIENCE_MS: Final = 1.0
# A run on the event loop that takes so long is ended, and made again on a thread, as are all that follow it. It was
# planned there because it should take less than a millisecond.
_INLINE_S: Final = 0.25
# How many threads there are then: one request that takes for ever leaves the others one.
_THREADS_THEN: Final = 2
# Rows of several requests are ended after so many times what they should take, or so many seconds, and run one by one.
_TIMES: Final = 50
_COMPANY_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Queueing:
    """How requests wait, and how long their runs may take."""

    # Rows that may wait; a request that would exceed it is refused at once.
    max_rows: int = 512
    # How long a request may wait for company. On a thread it waits while the session is in use, not unless this is
    # given; on the event loop for as many as came together before, up to a millisecond unless this is given. One that
    # finds the session idle, or comes as alone as those before it, never waits.
    max_wait_ms: float | None = None
    # How long a request may wait to run; None is without limit.
    timeout_ms: float | None = None
    # How long one run may take.
    run_s: float = 60.0


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
        # One for each thread, or for the event loop.
        self._runners: Sequence[Runner] = plan.runners or [Plain(plan.session)] * max(1, plan.instances)
        self._alone = None if plan.alone is None else Plain(plan.alone)
        self._sizes = plan.sizes or Sizes.alone()
        self._shares_runs = plan.sizes is not None
        self._queueing = queueing
        self._tally = tally
        self._may_have_all_cores = may_have_all_cores
        self._queue = Queue()
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        # What each thread waits on that has nothing to run, and where it would run; the one that ran last at the end.
        # It goes first, where as much runs on its device as on others: its core is warm, and the others' stay free for
        # the threads that help it.
        self._idle: list[tuple[threading.Condition, Session]] = []
        # What was begun on the event loop, and goes on on a thread.
        self._handed_over: deque[list[Share]] = deque()
        # The runs that are under way, and whose rows they have.
        self._under_way: dict[Leash, list[Share]] = {}
        self._running = 0
        self._running_on = dict.fromkeys((runner.session for runner in self._runners), 0)
        self._idle_since_s = 0.0
        self._company = Company()
        self._boarding = False
        self._patience: asyncio.TimerHandle | None = None
        self._row_s = 0.0
        self._closed = False
        watch()
        self._threads: list[threading.Thread] = []
        self._start(self._runners[: plan.instances])

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
            DeadlineExceeded: it waited longer than it may, or its run took longer.
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
            self._end_deserted()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Refuses new work, runs what is queued, ends the threads; nobody may wait for anything any more."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._wake()
        for thread in self._threads:
            thread.join()

    def _start(self, runners: Sequence[Runner]) -> None:
        for runner in runners:
            thread = threading.Thread(target=self._work, args=(runner,), name="batcher", daemon=True)
            self._threads.append(thread)
            try:
                thread.start()
            except RuntimeError:  # so Python says that it gets no memory for a thread
                self._threads.remove(thread)
                raise

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
        """Has a thread look for work: one on the device where least runs."""
        least = min(self._running_on[session] for _, session in self._idle)
        last = max(place for place, (_, session) in enumerate(self._idle) if self._running_on[session] == least)
        changed, session = self._idle.pop(last)
        self._running_on[session] += 1  # until the thread sees for itself, the next one goes elsewhere
        changed.notify()

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

    def _end_deserted(self) -> None:
        """Ends the runs whose callers have all left."""
        for leash, shares in list(self._under_way.items()):
            if all(share.job.done.done() for share in shares):
                leash.pull()

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
        if not self._queue.rows or self._threads:
            return
        self._company.came(self._queue.rows, in_time=in_time)
        runner, shares = self._runners[0], self._take()
        if late := self._run(shares, runner, min(_INLINE_S, self._queueing.run_s)):
            self._hand_over(late, runner.session)
        elif self._queue.rows:
            self._board_soon()

    def _hand_over(self, shares: list[Share], session: Session) -> None:
        """Leaves the event loop for good, with a run that took too long there."""
        try:
            self._start([Plain(session)] * _THREADS_THEN)
        except RuntimeError:
            if not self._threads:
                self._fail(shares, ResourceExhausted("the server has not the memory that this run takes: try later"))
                return
        _log.warning("%s ran for %g s on the event loop: from now on it runs on threads", session.path, _INLINE_S)
        with self._lock:
            self._handed_over.append(shares)
            if self._idle:
                self._wake()

    def _board_soon(self) -> None:
        if not self._boarding:
            self._boarding = True
            self._loop.call_soon(self._board)

    def _work(self, runner: Runner) -> None:
        """What each thread does: take a batch, run it, hand out its rows; until closed and empty."""
        give_way()
        changed = threading.Condition(self._lock)
        while shares := self._wait_for_batch(changed, runner.session):
            self._run_all(shares, runner)
            with self._lock:
                self._running -= 1
                self._running_on[runner.session] -= 1
                self._idle_since_s = time.monotonic()

    def _wait_for_batch(self, changed: threading.Condition, session: Session) -> list[Share]:
        """Waits for work and takes the batch to run next; nothing once the batcher is closed and empty."""
        with self._lock:
            while True:
                if self._handed_over:
                    self._running += 1
                    self._running_on[session] += 1
                    return self._handed_over.popleft()
                if not self._queue.rows:
                    if self._closed:
                        return []
                    self._wait(changed, session, None)
                elif (wait_s := self._wait_for_company_s()) > 0:
                    self._wait(changed, session, wait_s)
                else:
                    self._running += 1
                    self._running_on[session] += 1
                    return self._take()

    def _take(self) -> list[Share]:
        shares = self._queue.take(self._sizes)
        self._tally.queue_rows.set(self._queue.rows)
        return shares

    def _wait(self, changed: threading.Condition, session: Session, at_most_s: float | None) -> None:
        waiting = (changed, session)
        self._idle.append(waiting)
        changed.wait(at_most_s)
        if waiting in self._idle:
            self._idle.remove(waiting)
        else:
            self._running_on[session] -= 1

    def _wait_for_company_s(self) -> float:
        """Gives how long the oldest request should still wait for others to share its run."""
        max_wait_s = (self._queueing.max_wait_ms or 0) / 1000
        if not max_wait_s or self._closed or self._queue.rows >= self._sizes.largest:
            return 0.0
        now_s = time.monotonic()
        if not self._running and now_s - self._idle_since_s > max_wait_s:
            return 0.0
        return self._queue.oldest_s() + max_wait_s - now_s

    def _run_all(self, shares: list[Share], runner: Runner) -> None:
        """Runs some rows on a thread; one request that takes for ever does not hold up its company for as long."""
        most_s = self._queueing.run_s
        brief_s = min(most_s, max(_COMPANY_S, _TIMES * self._sizes.run_s[-1]))
        for share in self._run(shares, runner, brief_s if len(shares) > 1 else most_s):
            self._run([share], runner, most_s)

    def _run(self, shares: list[Share], runner: Runner, limit_s: float) -> list[Share]:
        """Runs some rows; where that fails each request alone, so that a bad one does not fail its company.

        Returns:
            What did not end in time, but may have more than that.
        """
        leash = Leash(limit_s)
        error = self._try(shares, runner, leash)
        if error is None:
            return []
        is_inline = not self._threads
        if leash.is_late and (is_inline or len(shares) == 1) and limit_s < self._queueing.run_s:
            return shares
        if len(shares) == 1:
            if leash.is_late:
                _log.error("%s ran for longer than %g s and was ended", runner.session.path, limit_s)
            self._hand_out(self._fail, shares, leash.why(error))
            return []
        late: list[Share] = []
        for share in shares:
            late += [share] if is_inline and late else self._run([share], runner, limit_s)
        return late

    def _try(self, shares: list[Share], runner: Runner, leash: Leash) -> Exception | None:
        """Runs some rows together, unless their callers have all left; gives what the graph raised."""
        if all(share.job.done.done() for share in shares):
            self._hand_out(self._fail, shares, Unavailable("whoever asked has left"))
            return None
        rows = sum(share.rows for share in shares)
        padding = self._sizes.padded(rows) - rows
        started_s = time.monotonic()
        self._under_way[leash] = shares
        try:
            with leash:
                arrays = self._chosen(runner).run(
                    [share.feeds() for share in shares], padding, shares[0].job.outputs, leash.options
                )
        except Exception as error:  # noqa: BLE001  whatever the graph raises belongs to the request that caused it
            return error
        finally:
            del self._under_way[leash]
        self._remember(started_s, shares)
        self._hand_out(self._deliver, shares, arrays)
        return None

    def _chosen(self, runner: Runner) -> Runner:
        """Gives what runs a batch: the thread's own, or that on all cores where nothing else runs or waits."""
        is_alone = self._running == 1 and not self._queue.rows and self._may_have_all_cores()
        return self._alone if self._alone and is_alone else runner

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
            elif share.job.done.cancelled() and share.end == share.job.rows:
                self._tally.requests[Outcome.CANCELLED].inc()
