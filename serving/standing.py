"""The standard services whose streams stand until the client leaves: health (Watch) and reflection.

A server that stops waits for its calls; these would keep it waiting, so they end when it says so.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Iterable
from typing import Any

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from protos.pool import POOL
from serving.catalog import Catalog

_Status = health_pb2.HealthCheckResponse
_Context = grpc.aio.ServicerContext[Any, Any]


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

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: _Context) -> None:  # noqa: N802
        await _until(self._end, super().Watch(request, context))

    async def forget(self, name: str) -> None:
        """Knows a name no longer."""
        await self.set(name, _Status.SERVICE_UNKNOWN)  # for those who watch it
        self._server_status.pop(name, None)  # type: ignore[attr-defined]  # the stubs know only what is public


class _Reflection(reflection.aio.ReflectionServicer):
    def __init__(self, names: list[str], end: asyncio.Event) -> None:
        super().__init__(names, POOL)
        self._end = end

    # The typeshed stub of the base says coroutine; it is an async generator.
    async def ServerReflectionInfo(  # type: ignore[override]  # noqa: N802
        self, request_iterator: AsyncIterable[reflection_pb2.ServerReflectionRequest], context: _Context
    ) -> None:
        await _until(self._end, self._reflect(request_iterator, context))

    async def _reflect(
        self, requests: AsyncIterable[reflection_pb2.ServerReflectionRequest], context: _Context
    ) -> None:
        async for response in super().ServerReflectionInfo(requests, context):  # type: ignore[attr-defined]
            await context.write(response)


class Standing:
    """Health and reflection, added to servers."""

    def __init__(self, servers: Iterable[grpc.aio.Server], services: list[str]) -> None:
        self._end = asyncio.Event()
        self._health = _Health(self._end)
        self._models: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
            POOL.AddSerializedFile(file.serialized_pb)
        names = [*services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        add_reflection = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
        for server in servers:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            add_reflection(_Reflection(names, self._end), server)  # type: ignore[no-untyped-call]

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
