"""Watched files: read again when they change, so that certificates and tokens are replaced without a restart."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from hondo.errors import HondoError

_log = logging.getLogger(__name__)

# How often to look, seconds.
_EVERY_S: Final = 1.0

Value = TypeVar("Value")


class Watched(Generic[Value]):
    """What was last read from files that could be read; safe to ask from any thread.

    Where a change cannot be read, or only a part of it is there yet, the former value stays, the log says why, and the
    next look tries again.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], Value]) -> None:
        """Reads the files for the first time.

        Args:
            paths: the files.
            read: reads them; raises a HondoError that names no secret.

        Raises:
            HondoError: what `read` raises.
        """
        self._paths = paths
        self._read = read
        self._seen = self._state()
        self._value = read()
        self._complaint = ""
        self._next_look_s = time.monotonic() + _EVERY_S
        self._lock = threading.Lock()

    @property
    def value(self) -> Value:
        """What the files say, as of a second ago at most."""
        if time.monotonic() >= self._next_look_s:
            with self._lock:
                if time.monotonic() >= self._next_look_s:
                    self._look()
                    self._next_look_s = time.monotonic() + _EVERY_S
        return self._value

    def _look(self) -> None:
        state = self._state()
        if state == self._seen:
            return
        try:
            self._value = self._read()
        except HondoError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _log.error("%s; what was read before stays in force", error)
            return
        self._seen, self._complaint = state, ""
        _log.info("read %s again", ", ".join(map(str, self._paths)))

    def _state(self) -> list[tuple[int, ...]]:
        """Gives what differs once any of the files was written or replaced."""
        return [_state(path) for path in self._paths]


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
