"""An attempt: work on a thread of its own that may take too long, and is then given up.

What ONNX Runtime loads or runs for it ends soon after; anything else is left to end by itself, for nobody.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Final, Generic, TypeVar

import onnxruntime

from serving.runtime.niceness import give_way

Result = TypeVar("Result")


class Limits:
    """What ends the work of ONNX Runtime for one attempt."""

    def __init__(self) -> None:
        self.run_options = onnxruntime.RunOptions()
        self._loading: list[onnxruntime.SessionOptions] = []
        self.is_over = False

    def bind(self, options: onnxruntime.SessionOptions) -> None:
        """Has a session that is about to be made end with the attempt."""
        self._loading.append(options)
        options.set_load_cancellation_flag(self.is_over)

    def end(self) -> None:
        """Ends what is loading or running."""
        self.is_over = True
        self.run_options.terminate = True
        for options in self._loading:
            options.set_load_cancellation_flag(True)


# Those of the attempt that the current thread works on, if any.
current: Final[ContextVar[Limits | None]] = ContextVar("current", default=None)


class Attempt(Generic[Result]):
    """Work that begins when this is made, on a thread that keeps no process from ending."""

    def __init__(self, work: Callable[[], Result], *, is_behind: bool) -> None:
        """Begins.

        Args:
            work: what to do.
            is_behind: requests that are being answered go before it on a busy core.
        """
        self.done: Future[Result] = Future()
        self.done.set_running_or_notify_cancel()
        self._limits = Limits()
        threading.Thread(target=self._work, args=(work, is_behind), name="attempt", daemon=True).start()

    def give_up(self) -> None:
        """Has it end, if it can be brought to that."""
        self._limits.end()

    def _work(self, work: Callable[[], Result], is_behind: bool) -> None:
        if is_behind:
            give_way()
        current.set(self._limits)
        try:
            self.done.set_result(work())
        except BaseException as error:  # noqa: BLE001  whatever it is belongs to who waits for it
            self.done.set_exception(error)
