"""One worker: a process that serves, seen from its supervisor and from within.

Between the two is a socket pair, the worker's standard input. The worker writes one byte when it is ready; beyond that
each only watches for the end of file that the death of the other, however sudden, brings.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Sequence
from typing import Final, Self

_STDIN: Final = 0
_READY: Final = b"\n"


class Worker:
    """A worker process, as its supervisor sees it."""

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self._process = process
        self._line = line
        self._ready_s: float | None = None

    @classmethod
    async def start(cls, command: Sequence[str]) -> Self:
        """Starts the process, in a session of its own: Ctrl-C in the terminal is for the supervisor to pass on."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(*command, stdin=theirs.fileno(), start_new_session=True)
            except BaseException:
                ours.close()
                raise
        return cls(process, ours)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def ready(self) -> bool:
        """Waits until the worker serves; False where it ended before."""
        said = await asyncio.get_running_loop().sock_recv(self._line, len(_READY))
        self._ready_s = time.monotonic() if said else None
        return bool(said)

    async def ended(self) -> tuple[int, float | None]:
        """Waits for the end.

        Returns:
            The exit code, or the negative number of the signal that ended it; how long it was ready, seconds, or None
            where it never was.
        """
        code = await self._process.wait()
        return code, None if self._ready_s is None else time.monotonic() - self._ready_s

    async def stop(self, patience_s: float) -> bool:
        """Has the worker finish its calls and end; kills it, and gives False, where that takes longer than patience_s.

        Does no harm to one that has ended.
        """
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), patience_s)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            return False
        finally:
            self._line.close()
        return True


def watch_supervisor(stop: asyncio.Event) -> None:
    """Sets `stop` once the supervisor is gone; to be called in the worker."""
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(_STDIN)
        stop.set()

    loop.add_reader(_STDIN, gone)


def say_ready() -> None:
    """Tells the supervisor that this worker serves."""
    with contextlib.suppress(BrokenPipeError):  # the supervisor is gone, which the watch notices
        os.write(_STDIN, _READY)
