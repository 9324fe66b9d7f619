"""The watchdog: how long an event loop was kept from its work."""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

_PERIOD_S: Final = 0.001
_STEP_MS: Final = 0.1  # latenesses are counted to this precision, so that a long life takes little memory
_LINE: Final = re.compile(r"event loop late: worst ([\d.]+) ms, p99\.9 ([\d.]+) ms, over ([\d.]+) s")


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late an event loop came to calls that were due."""

    worst_ms: float
    p999_ms: float
    # How long it was watched, seconds.
    seconds: float

    def __str__(self) -> str:
        """The line that a server logs at its end and `read` understands."""
        return f"event loop late: worst {self.worst_ms:.1f} ms, p99.9 {self.p999_ms:.1f} ms, over {self.seconds:.1f} s"


class Watchdog:
    """Asks the running event loop for a call every millisecond from `start` until `stop`, and counts how late it comes.

    A timer of the loop is up to a millisecond late on an idle machine; what is beyond that was blocked by a callback,
    waited for Python's lock or, on a busy machine, for a core.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._counts: Counter[int] = Counter()  # steps of lateness -> calls
        self._started_s = 0.0

    def start(self) -> None:
        """Begins to watch the event loop that runs this call."""
        self._loop = asyncio.get_running_loop()
        self._started_s = self._loop.time()
        self._ask(self._loop)

    def stop(self) -> Lateness:
        """Ends the watch."""
        assert self._loop is not None, "it was started"
        assert self._timer is not None, "it was started"
        self._timer.cancel()
        # A call that is due and has not come counts too.
        self._count(self._loop.time() - self._timer.when())
        seconds = self._loop.time() - self._started_s
        return Lateness(max(self._counts) * _STEP_MS, _percentile(self._counts, 99.9) * _STEP_MS, seconds)

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_at(loop.time() + _PERIOD_S, self._came, loop)

    def _came(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._timer is not None, "this is its call"
        self._count(loop.time() - self._timer.when())
        self._ask(loop)

    def _count(self, late_s: float) -> None:
        self._counts[round(max(late_s, 0.0) * 1000 / _STEP_MS)] += 1


def read(log: str) -> list[Lateness]:
    """Gives what the watchdogs of a server's processes wrote into its log."""
    return [Lateness(*map(float, match.groups())) for match in _LINE.finditer(log)]


def _percentile(counts: "Counter[int]", percent: float) -> int:
    """Gives the smallest value that at least so many percent do not exceed."""
    wanted = counts.total() * percent / 100
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= wanted:
            return value
    raise AssertionError("all values together are all of them")
