"""Connections made up by chance: garbage, HTTP/2 with spoiled frames, and those that are slow or never say it all."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from tests.fuzz import extremes, frames
from tests.fuzz.calls import Calls
from tests.fuzz.reflected import Metadata
from tests.fuzz.thrown import Connection

Part = tuple[bytes, float]

# How a connection ends: closed, closed for writing first, reset, or held open until others are through.
_ENDINGS: Final = ("closed", "half", "reset", "held")
# What is slow sends a byte so often, and gives up after so many, seconds.
_SLOW_S: Final = 0.05
_SLOW_PARTS: Final = 20
_HTTP: Final = (
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nx",
    b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"GET /metrics HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\r\nAccept: */*;q=x, \xff\r\n\r\n",
    b"GET /metrics?" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # how TLS begins
    b"GET /metrics HTTP/9.9\r\n\r\n",
    b"GET http://[::1/metrics HTTP/1.1\r\n\r\n",
    b"\r\n" * 100,
)


class Connections:
    """Makes them up; the same for the same seed.

    Args:
        calls: what is called where calls are made.
        metadata: what good calls carry.
        seed: of chance.
    """

    def __init__(self, calls: Calls, metadata: Metadata, seed: int) -> None:
        self._calls = iter(calls)
        self._metadata = metadata
        self._dice = Random(seed)  # noqa: S311  chance that can be repeated

    def __iter__(self) -> Iterator[Connection]:
        ways: tuple[Callable[[], list[Part]], ...] = (self._spoiled, self._spoiled, self._noise, self._cut, self._slow)
        while True:
            to_metrics = self._dice.random() < 0.1
            parts = self._http() if to_metrics else self._dice.choice(ways)()
            yield Connection(to_metrics=to_metrics, parts=tuple(parts), ending=self._dice.choice(_ENDINGS))

    def _good(self) -> list[bytes]:
        """Gives the frames of a connection with one to three calls."""
        every = frames.opening()
        for stream in range(1, 2 * self._dice.choice((1, 1, 2, 3)), 2):
            call = next(self._calls)
            every += frames.call(stream, call.path, call.messages, self._metadata)
        return every

    def _spoiled(self) -> list[Part]:
        path = next(self._calls).path
        every = frames.spoiled(self._good(), self._dice, self._metadata, path)
        return [(b"".join(every), 0.0)]

    def _noise(self) -> list[Part]:
        data = self._dice.randbytes(self._dice.choice((0, 1, 24, 1000, 50_000)))
        return [((frames.PREFACE if self._dice.random() < 0.5 else b"") + data, 0.0)]

    def _cut(self) -> list[Part]:
        """Stops in the middle."""
        whole = b"".join(self._good())
        return [(whole[: self._dice.randrange(len(whole))], self._dice.choice((0.0, 0.0, 0.2)))]

    def _slow(self) -> list[Part]:
        """Says little at a time, and is not done when it gives up."""
        whole = b"".join(self._good())
        size = self._dice.choice((1, 1, 10, 50))
        starts = range(0, min(len(whole), size * _SLOW_PARTS), size)
        return [(whole[start : start + size], _SLOW_S) for start in starts]

    def _http(self) -> list[Part]:
        data = self._dice.choice(_HTTP)
        if self._dice.random() < 0.5:
            data = extremes.spoiled(data, self._dice)
        if self._dice.random() < 0.2:
            return [(data[:10], _SLOW_S), (data[10:], 0.0)]
        return [(data, 0.0)]
