"""The standard services whose streams stand until the client leaves: health (Watch) and reflection.

A server that stops waits for its calls; these would keep it waiting, so they end when it says so. Their calls are
answered as all others are: gRPC itself would say UNKNOWN to bytes that are no message, and log a page for each.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Final, cast

from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from protos.pool import POOL
from serving.calls import handler
from serving.catalog.catalog import Catalog
from serving.health_service import HEALTH, HealthService
from serving.telemetry.witness import Witness

_REFLECTION: Final = cast("ServiceDescriptor", reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"])


class _Reflection:
    def __init__(self, names: list[str], end: asyncio.Event) -> None:
        self._told = reflection.aio.ReflectionServicer(names, POOL)
        self._end = end

    async def server_reflection_info(
        self, requests: AsyncGenerator[ServerReflectionRequest]
    ) -> AsyncGenerator[ServerReflectionResponse]:
        # The typeshed stub says coroutine; it is an async generator.
        answers = self._told.ServerReflectionInfo(_until(self._end, requests), None)
        async for answer in answers:  # type: ignore[attr-defined]
            yield answer


async def _until(
    end: asyncio.Event, requests: AsyncGenerator[ServerReflectionRequest]
) -> AsyncGenerator[ServerReflectionRequest]:
    """Goes through what is asked, at most until `end` is set."""
    ending = asyncio.ensure_future(end.wait())
    try:
        while True:
            coming = asyncio.ensure_future(_next(requests))
            try:
                await asyncio.wait((coming, ending), return_when=asyncio.FIRST_COMPLETED)
                request = coming.result() if coming.done() else None
            finally:
                coming.cancel()
            if request is None:
                return
            yield request
    finally:
        ending.cancel()


async def _next(requests: AsyncGenerator[ServerReflectionRequest]) -> ServerReflectionRequest | None:
    return await anext(requests, None)


class Standing:
    """Health, and reflection of some services."""

    def __init__(self, services: list[str]) -> None:
        self._services = services
        self._end = asyncio.Event()
        self._health = HealthService()
        self._models: set[str] = set()
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
            POOL.AddSerializedFile(file.serialized_pb)
        told = _Reflection([*services, HEALTH.full_name, _REFLECTION.full_name], self._end)
        # What answers their calls, of which nobody keeps count.
        unseen = Witness([])
        self.handlers = (handler(HEALTH, [self._health], unseen), handler(_REFLECTION, [told], unseen))

    def start(self, catalog: Catalog) -> None:
        """Says that the server ("") and its services are being served.

        And of each model (NAME) and each of its versions (NAME/VERSION) whether it is, from now on.
        """
        for name in ("", *self._services):
            self._health.set(name, is_serving=True)
        catalog.follow(lambda: self._tell(catalog))
        self._tell(catalog)

    def _tell(self, catalog: Catalog) -> None:
        serving = set(_names((model.name, model.version) for model in catalog))
        known = serving | set(_names((each.name, each.version) for each in catalog.absent))
        for name in known:
            self._health.set(name, is_serving=name in serving)
        for name in self._models - known:
            self._health.forget(name)
        self._models = known

    def stop(self) -> None:
        """Tells every watcher NOT_SERVING, and ends the streams."""
        self._health.stop()
        self._end.set()


def _names(versions: Iterable[tuple[str, int]]) -> Iterable[str]:
    return (name for model, version in versions for name in (model, f"{model}/{version}"))
