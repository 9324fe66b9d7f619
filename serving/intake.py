"""An intake: one of the asyncio gRPC servers behind a port, in whose place is another where gRPC ends it.

That it does, since 1.84, when a caller names a method in bytes that are no text: all who connect could end all servers
of a port. The calls under way go on; clients make their next ones on new connections, as whenever a server stops.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

import grpc
import grpc.aio

from serving.access.door import Door

_log = logging.getLogger(__name__)

# How often it is looked whether it was ended, seconds.
_LOOK_S: Final = 0.2
# Whoever ends it all day long is not to fill the disk.
_LOG_EVERY_S: Final = 10.0


class Intake:
    """Takes calls in, from `start` until `stop`."""

    def __init__(self, door: Door, drain_s: float) -> None:
        """Notes how.

        Args:
            door: who may ask.
            drain_s: how long calls under way may go on at the end.
        """
        self._door = door
        self._drain_s = drain_s
        self._handlers: Sequence[grpc.GenericRpcHandler] = ()
        self._options: Sequence[tuple[str, int]] = ()
        self._place = ""
        self._server: grpc.aio.Server | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._quiet_until_s = 0.0

    def make(self, handlers: Sequence[grpc.GenericRpcHandler], options: Sequence[tuple[str, int]]) -> None:
        """Makes it, with what answers its calls and gRPC's options."""
        self._handlers, self._options = handlers, options
        self._server = grpc.aio.server(interceptors=self._door.interceptors, options=options)
        self._server.add_generic_rpc_handlers(handlers)

    def listen(self, host: str, port: int) -> int:
        """Takes a port, and gives its number; RuntimeError where it cannot be had."""
        assert self._server is not None, "it was made"
        port = self._door.open(self._server, f"{host}:{port}")
        self._place = f"{host}:{port}"
        return port

    async def start(self) -> None:
        """Begins."""
        assert self._server is not None, "it was made"
        await self._server.start()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Takes no new calls, and ends once those under way are answered."""
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None:
            await self._server.stop(self._drain_s)
        await asyncio.gather(*self._ending)

    async def _watch(self) -> None:
        while True:
            assert self._server is not None, "it was started"
            try:
                await self._server.wait_for_termination(_LOOK_S)
            except Exception as error:  # noqa: BLE001  whatever ended it, nobody else takes calls in
                self._tell(error)
                await self._replace()

    async def _replace(self) -> None:
        """Lets what was ended end, and takes the port again."""
        assert self._server is not None, "it was started"
        ending = asyncio.create_task(self._server.stop(self._drain_s))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        while not await self._begins_again():  # noqa: ASYNC110  nothing tells when a port is free
            await asyncio.sleep(_LOOK_S)

    async def _begins_again(self) -> bool:
        self.make(self._handlers, self._options)
        assert self._server is not None, "it was just made"
        try:
            self._door.open(self._server, self._place)
        except RuntimeError as error:
            self._tell(error)
            return False
        await self._server.start()
        return True

    def _tell(self, error: Exception) -> None:
        if time.monotonic() >= self._quiet_until_s:
            self._quiet_until_s = time.monotonic() + _LOG_EVERY_S
            _log.warning("gRPC ended an intake (%s); another takes its place, and the calls under way go on", error)
