"""Many: a bulk carried over streams, one after another where one breaks; blocking, and with asyncio."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import grpc
import grpc.aio

from hondo import channel, items
from hondo.answer import Answer
from hondo.bulk import Bulk
from hondo.errors import DeadlineExceeded, InvalidText, ServerError
from protos.hondo_pb2 import ClassifyRequest, ClassifyStreamResponse

Item = TypeVar("Item")

AsyncMethod = grpc.aio.StreamStreamMultiCallable[Any, ClassifyStreamResponse]


def ask_many(
    bulk: Bulk[Item],
    given: Iterable[Item],
    method: "grpc.StreamStreamMultiCallable[Any, ClassifyStreamResponse]",
    server: str,
    patience_s: float,
) -> Generator[Answer[Item]]:
    """Asks about items and gives their answers, in their order.

    Args:
        bulk: a new one.
        given: the items; each is taken when there is room for it.
        method: ClassifyStream on a channel to the server.
        server: HOST:PORT, for the texts of errors.
        patience_s: how long to wait for an answer.

    Raises:
        HondoError: a failure that does not concern one item alone.
    """
    rest = iter(given)
    stream: _Stream | None = None
    try:
        while not (_fill(bulk, rest) and bulk.is_done):
            time.sleep(bulk.pause_s())
            stream = stream or _Stream(method)
            for request in bulk.to_send():
                stream.send(request)
            if bulk.is_waiting:
                try:
                    bulk.answered(stream.receive(patience_s))
                except grpc.RpcError as error:
                    stream.close()
                    stream = None
                    _interrupted(bulk, error, server)
            yield from bulk.ready()
    finally:
        if stream is not None:
            stream.close()


async def ask_many_async(
    bulk: Bulk[Item],
    given: Iterable[Item] | AsyncIterable[Item],
    method: AsyncMethod,
    server: str,
    patience_s: float,
) -> AsyncGenerator[Answer[Item]]:
    """Does the same with asyncio: see `ask_many`."""
    rest = aiter(given) if isinstance(given, AsyncIterable) else _one_by_one(given)
    stream: _AsyncStream | None = None
    try:
        while not (await _fill_async(bulk, rest) and bulk.is_done):
            await asyncio.sleep(bulk.pause_s())
            stream = stream or _AsyncStream(method)
            for request in bulk.to_send():
                stream.send(request)
            if bulk.is_waiting:
                try:
                    bulk.answered(await stream.receive(patience_s))
                except grpc.aio.AioRpcError as error:
                    stream = None
                    _interrupted(bulk, error, server)
            for answer in bulk.ready():
                yield answer
    finally:
        if stream is not None:
            stream.close()


class _Stream:
    """One call of ClassifyStream; its requests are sent and its responses received on threads of their own."""

    def __init__(self, method: "grpc.StreamStreamMultiCallable[Any, ClassifyStreamResponse]") -> None:
        self._to_send: SimpleQueue[ClassifyRequest | None] = SimpleQueue()
        self._received: SimpleQueue[ClassifyStreamResponse | grpc.RpcError | None] = SimpleQueue()
        self._call = method(iter(self._to_send.get, None))
        threading.Thread(target=self._receive, name="stream", daemon=True).start()

    def send(self, request: ClassifyRequest) -> None:
        self._to_send.put(request)

    def receive(self, patience_s: float) -> ClassifyStreamResponse:
        try:
            received = self._received.get(timeout=patience_s)
        except Empty:
            raise _too_late(patience_s) from None
        if isinstance(received, grpc.RpcError):
            raise received
        return _checked(received)

    def close(self) -> None:
        self._to_send.put(None)
        self._call.cancel()

    def _receive(self) -> None:
        try:
            for response in self._call:
                self._received.put(response)
        except grpc.RpcError as error:
            self._received.put(error)
        else:
            self._received.put(None)


class _AsyncStream:
    """One call of ClassifyStream with asyncio; it ends when it fails."""

    def __init__(self, method: AsyncMethod) -> None:
        self._to_send: asyncio.Queue[ClassifyRequest] = asyncio.Queue()
        self._call = method(self._requests())

    def send(self, request: ClassifyRequest) -> None:
        self._to_send.put_nowait(request)

    async def receive(self, patience_s: float) -> ClassifyStreamResponse:
        try:
            async with asyncio.timeout(patience_s):
                received = await self._call.read()
        except TimeoutError:
            raise _too_late(patience_s) from None
        return _checked(received if isinstance(received, ClassifyStreamResponse) else None)

    def close(self) -> None:
        self._call.cancel()

    async def _requests(self) -> AsyncIterator[ClassifyRequest]:
        while True:
            yield await self._to_send.get()


def _fill(bulk: Bulk[Item], rest: Iterator[Item]) -> bool:
    """Takes items as far as there is room; says whether they are at their end."""
    while bulk.has_room:
        try:
            item = next(rest)
        except StopIteration:
            return True
        _add(bulk, item)
    return False


async def _fill_async(bulk: Bulk[Item], rest: AsyncIterator[Item]) -> bool:
    while bulk.has_room:
        try:
            item = await anext(rest)
        except StopAsyncIteration:
            return True
        if bulk.field == "images" and not isinstance(item, bytes):
            await asyncio.to_thread(_add, bulk, item)  # it reads a file
        else:
            _add(bulk, item)
    return False


async def _one_by_one(given: Iterable[Item]) -> AsyncIterator[Item]:
    for item in given:
        yield item


def _add(bulk: Bulk[Item], item: Item) -> None:
    try:
        content = items.content(bulk.field, item)
    except (OSError, InvalidText) as error:
        bulk.refuse(item, error)
    else:
        bulk.add(item, content)


def _interrupted(bulk: Bulk[Item], error: grpc.RpcError, server: str) -> None:
    raised = channel.raised(error, server)
    if channel.code_of(error) not in channel.AGAIN:
        raise raised from error
    bulk.interrupted(raised)


def _too_late(patience_s: float) -> DeadlineExceeded:
    return DeadlineExceeded(f"no answer came within {patience_s:g} s")


def _checked(received: ClassifyStreamResponse | None) -> ClassifyStreamResponse:
    if received is None:
        raise ServerError("the server ended the stream before all was answered")
    return received
