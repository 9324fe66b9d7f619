"""The standard services whose streams stand until the client leaves: health (Watch) and reflection.

A server that stops waits for its calls; these would keep it waiting, so they end when it says so.

Messages are parsed here, not by gRPC: it would answer UNKNOWN to whatever is none, and write a page to the log for it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from hondo.errors import ModelNotFound, NotSupported
from protos.pool import POOL
from serving.calls import parse
from serving.catalog import Catalog
from serving.refusal import Refusal, abort

_Status = health_pb2.HealthCheckResponse
_Context = grpc.aio.ServicerContext[Any, Any]
_Function = Callable[[Any, _Context], Awaitable[Any]]


async def _until(end: asyncio.Event, stream: Awaitable[None]) -> None:
    """Waits for a stream, at most until `end` is set."""
    streaming, ending = asyncio.ensure_future(stream), asyncio.ensure_future(end.wait())
    try:
        await asyncio.wait((streaming, ending), return_when=asyncio.FIRST_COMPLETED)
        if streaming.done():
            await streaming
    finally:
        streaming.cancel()
        ending.cancel()


class _Health(health.aio.HealthServicer):
    def __init__(self, end: asyncio.Event) -> None:
        super().__init__()
        self._end = end

    @property
    def handler(self) -> grpc.GenericRpcHandler:
        """What answers its calls."""
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Check": grpc.unary_unary_rpc_method_handler(_answering(self._check), None, _written),
            "List": grpc.unary_unary_rpc_method_handler(_answering(self._list), None, _written),
            "Watch": grpc.unary_stream_rpc_method_handler(_answering(self._watch), None, _written),
        }
        return grpc.method_handlers_generic_handler(health.SERVICE_NAME, methods)

    async def _check(self, data: bytes, context: _Context) -> Message:
        request = parse(health_pb2.HealthCheckRequest, data)
        if request.service not in self._server_status:  # type: ignore[attr-defined]  # as below
            raise ModelNotFound(
                f"nothing is known of {request.service[:100]!r}: a service, NAME or NAME/VERSION expected"
            )
        answer: Message = await super().Check(request, context)
        return answer

    async def _list(self, _data: bytes, _context: _Context) -> Message:
        raise NotSupported("who asks for health, which anybody may, is not told what there is: name what is meant")

    async def _watch(self, data: bytes, context: _Context) -> None:
        request = parse(health_pb2.HealthCheckRequest, data)
        await _until(self._end, super().Watch(request, context))

    async def forget(self, name: str) -> None:
        """Knows a name no longer."""
        await self.set(name, _Status.SERVICE_UNKNOWN)  # for those who watch it
        self._server_status.pop(name, None)  # type: ignore[attr-defined]  # the stubs know only what is public


class _Reflection(reflection.aio.ReflectionServicer):
    def __init__(self, names: list[str], end: asyncio.Event) -> None:
        super().__init__(names, POOL)
        self._end = end

    @property
    def handler(self) -> grpc.GenericRpcHandler:
        """What answers its calls."""
        method: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
            _answering(self._reflect_until), None, _written
        )
        return grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, {"ServerReflectionInfo": method})

    async def _reflect_until(self, messages: AsyncIterable[bytes], context: _Context) -> None:
        await _until(self._end, self._reflect(messages, context))

    async def _reflect(self, messages: AsyncIterable[bytes], context: _Context) -> None:
        # The typeshed stub of the base says coroutine; it is an async generator.
        answers = super().ServerReflectionInfo(_parsed(messages), context)
        async for response in answers:  # type: ignore[attr-defined]
            await context.write(response)


async def _parsed(messages: AsyncIterable[bytes]) -> AsyncGenerator[reflection_pb2.ServerReflectionRequest]:
    async for data in messages:
        yield parse(reflection_pb2.ServerReflectionRequest, data)


def _answering(function: _Function) -> _Function:
    """Wraps a method into one that tells its errors as all others do."""

    async def answer(came: object, context: _Context) -> object:
        try:
            return await function(came, context)
        except grpc.aio.InternalError:
            raise asyncio.CancelledError from None  # the caller has left meanwhile
        except Exception as error:  # noqa: BLE001  as in serving.calls
            await abort(context, Refusal.of(error, function.__qualname__))

    return answer


def _written(message: Message) -> bytes:
    return message.SerializeToString()


class Standing:
    """Health, and reflection of some services."""

    def __init__(self, services: list[str]) -> None:
        self._end = asyncio.Event()
        self._health = _Health(self._end)
        self._models: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
            POOL.AddSerializedFile(file.serialized_pb)
        names = [*services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        # What answers their calls.
        self.handlers = (self._health.handler, _Reflection(names, self._end).handler)

    async def set_serving(self, names: Iterable[str]) -> None:
        """Says that the server ("") or a service is being served."""
        for name in names:
            await self._health.set(name, _Status.SERVING)

    async def follow(self, catalog: Catalog) -> None:
        """Says of each model (NAME) and each of its versions (NAME/VERSION) whether it is being served, from now on."""
        changed = asyncio.Event()
        catalog.follow(changed.set)
        await self._tell(catalog)
        self._telling = asyncio.create_task(self._tell_again(catalog, changed))

    async def _tell_again(self, catalog: Catalog, changed: asyncio.Event) -> None:
        while True:
            await changed.wait()
            changed.clear()
            await self._tell(catalog)

    async def _tell(self, catalog: Catalog) -> None:
        serving = {name for model in catalog for name in (model.name, f"{model.name}/{model.version}")}
        known = serving | {name for each in catalog.absent for name in (each.name, f"{each.name}/{each.version}")}
        for name in known:
            is_serving = name in serving
            await self._health.set(name, _Status.SERVING if is_serving else _Status.NOT_SERVING)
        for name in self._models - known:
            await self._health.forget(name)
        self._models = known

    async def stop(self) -> None:
        """Tells every watcher NOT_SERVING, then ends the streams."""
        if self._telling is not None:
            self._telling.cancel()
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(0.1)  # for the watchers' last message
        self._end.set()
