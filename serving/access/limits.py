"""Limits: how many calls one client may make, in a second and at once, so that none takes all."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from hondo.errors import Overloaded

# So many clients are remembered before those are forgotten about whom there is nothing to remember.
_MANY: Final = 10_000
# A client that has as many calls as it may have is told to come again after so long: how long they take is not known.
_AGAIN_S: Final = 0.1


@dataclass(slots=True)
class _Client:
    # Calls that it may begin now; grows with time up to a second's worth.
    allowance: float
    at_s: float
    at_once: int = 0


class Limits:
    """Counts the calls of each client."""

    def __init__(self, per_s: float | None, at_once: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Sets the limits.

        Args:
            per_s: calls that a client may begin in a second, all of them at the same moment if it likes; None for any.
            at_once: calls that it may have under way; None for any.
            clock: seconds that never go back.
        """
        self._per_s = per_s
        self._at_once = at_once
        self._clock = clock
        self._clients: dict[str, _Client] = {}

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Counts a call of a client for as long as it takes.

        Raises:
            Overloaded: it has too many; the error says when to come again.
        """
        client = self._client(name)
        if self._at_once is not None and client.at_once >= self._at_once:
            raise Overloaded(f"this client has {client.at_once} calls under way, the most it may", _AGAIN_S)
        if self._per_s is not None and client.allowance < 1:
            raise Overloaded(
                f"this client makes more than {self._per_s:g} calls a second", (1 - client.allowance) / self._per_s
            )
        client.allowance -= 1
        client.at_once += 1
        try:
            yield
        finally:
            client.at_once -= 1

    def _client(self, name: str) -> _Client:
        now_s, most = self._clock(), max(1.0, self._per_s or 0)
        client = self._clients.get(name)
        if client is None:
            if len(self._clients) >= _MANY:
                self._forget(now_s)
            client = self._clients[name] = _Client(most, now_s)
        if self._per_s is not None:
            client.allowance = min(most, client.allowance + (now_s - client.at_s) * self._per_s)
        client.at_s = now_s
        return client

    def _forget(self, now_s: float) -> None:
        """Forgets those who have no call under way and made none for long enough to have all of their allowance."""
        most = max(1.0, self._per_s or 0)
        long_s = most / self._per_s if self._per_s else 0.0
        self._clients = {
            name: client for name, client in self._clients.items() if client.at_once or now_s - client.at_s < long_s
        }
