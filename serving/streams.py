"""Streams: the requests of each are answered side by side, and the answers given in the requests' order.

A request takes room in its stream until its answer was taken, and a stream is read on only while there is room: whoever
does not read the answers is not read either, and no stream fills a queue alone.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from hondo.errors import Unavailable
from serving.telemetry import course

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

# The room of a stream: enough to fill the next runs while one runs.
_ROOM_ROWS: Final = 128
# So many bytes take as much room as a row.
_ROW_BYTES: Final = 64 * 1024


class Streams(Generic[Request, Response]):
    """All streams of one method.

    Args:
        answer: answers a request; it fails for none.
        rows_of: says how many rows a request has.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[Response]], rows_of: Callable[[Request], int]) -> None:
        self._answer = answer
        self._rows_of = rows_of
        self._open: set[_Stream[Request, Response]] = set()
        self._stopped = False

    async def answers(self, requests: AsyncIterable[Request]) -> AsyncGenerator[Response]:
        """Gives the answer to each request of a stream.

        Raises:
            Unavailable: `stop` was called, and what had been read by then is answered.
        """
        stream = _Stream(requests, self._answer, self._rows_of)
        self._open.add(stream)
        if self._stopped:
            stream.stop()
        try:
            async for answer in stream.answers():
                yield answer
        finally:
            self._open.remove(stream)
            await stream.close()

    def stop(self) -> None:
        """Reads no further; each stream ends when what was read of it is answered."""
        self._stopped = True
        for stream in self._open:
            stream.stop()


class _Stream(Generic[Request, Response]):
    """One stream, which is read from the moment that it is made."""

    def __init__(
        self,
        requests: AsyncIterable[Request],
        answer: Callable[[Request], Awaitable[Response]],
        rows_of: Callable[[Request], int],
    ) -> None:
        self._requests = requests
        self._answer = answer
        self._rows_of = rows_of
        # The answers to come, each with the room that it takes; None after the last.
        self._asked: asyncio.Queue[tuple[asyncio.Future[Response], int] | None] = asyncio.Queue()
        self._free_rows = _ROOM_ROWS
        self._left = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())
        self._reading.add_done_callback(lambda _: self._asked.put_nowait(None))

    async def answers(self) -> AsyncGenerator[Response]:
        """Gives the answers, in the requests' order."""
        while (asked := await self._asked.get()) is not None:
            answer, rows = asked
            yield await answer
            self._free_rows += rows
            self._left.set()
        if self._reading.cancelled():
            raise Unavailable("the server is stopping: ask it, or another, again what was not answered")
        await self._reading  # raises what reading failed with

    def stop(self) -> None:
        """Reads no further."""
        self._reading.cancel()

    async def close(self) -> None:
        """Drops what is still under way."""
        self._reading.cancel()
        rest: list[asyncio.Future[Response]] = []
        while not self._asked.empty():
            if (asked := self._asked.get_nowait()) is not None:
                rest.append(asked[0])
        for answer in rest:
            answer.cancel()
        await asyncio.gather(self._reading, *rest, return_exceptions=True)

    async def _read(self) -> None:
        async for request in self._requests:
            rows = min(_ROOM_ROWS, max(self._rows_of(request), request.ByteSize() // _ROW_BYTES))
            await self._take_room(rows)
            self._asked.put_nowait((asyncio.ensure_future(self._watched(request)), rows))

    async def _watched(self, request: Request) -> Response:
        with course.part(request):
            return await self._answer(request)

    async def _take_room(self, rows: int) -> None:
        while self._free_rows < rows:
            self._left.clear()
            await self._left.wait()
        self._free_rows -= rows
