"""Leashes: a run of a graph that takes too long, or that nobody waits for any more, is ended.

ONNX Runtime looks between two nodes, and between two turns of a loop, whether it shall end; a single node goes on to
its end. A thread of this module watches the runs of all models, since the event loop itself may be what a run holds up.
"""

import threading
import time
from types import TracebackType
from typing import Final, Self

import onnxruntime

from hondo.errors import DeadlineExceeded

# How often the thread looks, seconds.
_LOOKS_S: Final = 0.05

_under_way: "Final[set[Leash]]" = set()
_starting: Final = threading.Lock()
_watching: Final = threading.Event()


class Leash:
    """What one run is held by: a statement `with` goes around the run."""

    __slots__ = ("_due_s", "_limit_s", "is_late", "options")

    def __init__(self, limit_s: float) -> None:
        """Notes how long the run may take; `watch` must have been called before."""
        self._limit_s = limit_s
        self._due_s = 0.0
        # What the run is to be called with.
        self.options = onnxruntime.RunOptions()
        # Whether it was ended because it took too long.
        self.is_late = False

    def __enter__(self) -> Self:
        self._due_s = time.monotonic() + self._limit_s
        _under_way.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _under_way.discard(self)

    def pull(self) -> None:
        """Has the run end soon; from any thread, also when it has ended."""
        self.options.terminate = True

    def look(self, now_s: float) -> None:
        """Ends the run if it is late."""
        if now_s >= self._due_s and not self.is_late:
            self.is_late = True
            self.pull()

    def why(self, error: Exception) -> Exception:
        """Gives why a run has failed, of what onnxruntime says of it."""
        if not self.is_late:
            return error
        return DeadlineExceeded(
            f"the graph ran for longer than {self._limit_s:g} s and was ended (the server's --run-timeout-seconds)"
        )


def watch() -> None:
    """Starts the thread, once in a process; before there are runs, when there still is memory for it."""
    with _starting:
        if not _watching.is_set():
            threading.Thread(target=_look_again, name="leashes", daemon=True).start()
            _watching.set()


def _look_again() -> None:
    while True:
        time.sleep(_LOOKS_S)
        now_s = time.monotonic()
        for leash in list(_under_way):
            leash.look(now_s)
