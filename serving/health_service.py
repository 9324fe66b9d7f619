"""The health service, `grpc.health.v1.Health`: whether the server, a service or a model is being served.

Not grpc's own, which writes to one watcher while the others and whoever tells of a change wait: one that does not read
would hold up all, the server's stop too.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Final, NoReturn, cast

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from hondo.errors import ModelNotFound, NotSupported

HEALTH: Final = cast("ServiceDescriptor", health_pb2.DESCRIPTOR.services_by_name["Health"])


class HealthService:
    """What is told of each name; on the event loop alone."""

    def __init__(self) -> None:
        # Whether each is being served.
        self._names: dict[str, bool] = {}
        # What each watcher of a name is woken by.
        self._watching: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._is_over = False

    def set(self, name: str, *, is_serving: bool) -> None:
        """Says whether a name is being served."""
        if not self._is_over:
            self._names[name] = is_serving
            self._wake(name)

    def forget(self, name: str) -> None:
        """Knows a name no longer."""
        self._names.pop(name, None)
        self._wake(name)

    def stop(self) -> None:
        """Tells every watcher NOT_SERVING, once and for all, and ends its stream."""
        for name in self._names:
            self.set(name, is_serving=False)
        self._is_over = True
        for name in list(self._watching):
            self._wake(name)

    async def check(self, request: HealthCheckRequest) -> HealthCheckResponse:
        """Tells of a name."""
        if request.service not in self._names:
            raise ModelNotFound(
                f"nothing is known of {request.service[:100]!r}: a service, NAME or NAME/VERSION expected"
            )
        return self._told(request.service)

    async def watch(self, request: HealthCheckRequest) -> AsyncGenerator[HealthCheckResponse]:
        """Tells of a name, and again whenever that changes."""
        name, changed = request.service, asyncio.Event()
        told: HealthCheckResponse | None = None
        self._watching[name].add(changed)
        try:
            while True:
                telling = self._told(name)
                if telling != told:
                    yield telling
                    told = telling
                elif self._is_over:
                    return
                else:
                    await changed.wait()
                    changed.clear()
        finally:
            self._watching[name].discard(changed)
            if not self._watching[name]:
                del self._watching[name]

    async def list(self, _request: Message) -> NoReturn:
        """Refuses."""
        raise NotSupported("anybody may ask for health, but not what there is: name what is meant")

    def _told(self, name: str) -> HealthCheckResponse:
        if name not in self._names:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        is_serving = self._names[name]
        return HealthCheckResponse(
            status=HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING
        )

    def _wake(self, name: str) -> None:
        for changed in self._watching.get(name, ()):
            changed.set()
