"""Ahead: while one answer is looked at, the next ones are asked for, but no more: whole maps wait in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

# Under way at once: one is read or written while others run.
AT_ONCE: Final = 4


def ahead(ask: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Gives what is answered to each item, in their order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        doing: deque[Future[Made]] = deque()
        try:
            for item in items:
                doing.append(pool.submit(ask, item))
                if len(doing) > AT_ONCE:
                    yield doing.popleft().result()
            while doing:
                yield doing.popleft().result()
        finally:
            for rest in doing:
                rest.cancel()
