"""A crew: processes beside this one, each of which does one piece of work at a time."""

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Self, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Crew:
    """So many processes, from `with` to its end."""

    def __init__(self, size: int) -> None:
        # A forked process would share gRPC's threads with this one, which gRPC does not survive.
        spawn = get_context("spawn")
        # An executor each, so that every member gets its piece of work at once. Ctrl-C is this process's to deal with.
        self._members = [
            ProcessPoolExecutor(1, spawn, signal.signal, (signal.SIGINT, signal.SIG_IGN)) for _ in range(size)
        ]

    def __enter__(self) -> Self:
        for started in [member.submit(os.getpid) for member in self._members]:
            started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for member in self._members:
            member.shutdown(wait=False, cancel_futures=True)
        for member in self._members:
            member.shutdown()

    def __len__(self) -> int:
        return len(self._members)

    def begin(self, work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> "list[Future[Result]]":
        """Gives each piece of work to a member of its own; there are at most as many pieces as members."""
        assert len(pieces) <= len(self), "each piece has its member"
        return [member.submit(work, piece) for member, piece in zip(self._members, pieces, strict=False)]

    def do(self, work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
        """Has the pieces done side by side; gives their results in order."""
        return [future.result() for future in self.begin(work, pieces)]
