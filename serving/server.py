"""The server: one port, the services on it, a start once all is warm, a stop that answers what it began.

Calls that are on their way while it stops, gRPC may end itself (see `serving.supervisor`): clients make them again.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from protos.rpc import HONDO, INFERENCE
from serving.access.door import OPEN_DOOR, Door
from serving.access.settings import is_loopback
from serving.calls import as_it_is, handler
from serving.catalog.catalog import Catalog
from serving.catalog.stock import Stock
from serving.catalog.upkeep import Upkeep
from serving.exposition import exposed
from serving.handles import most_connections
from serving.intake import Intake
from serving.port import refused, reserved
from serving.protocol.extensions import Extensions
from serving.protocol.inference import InferenceService
from serving.protocol.regions import Regions
from serving.protocol.repository import Repository
from serving.protocol.sequences import Sequencing
from serving.protocol.triton_words import TritonWords
from serving.refusal import StatusCodes
from serving.runtime.cores import available
from serving.runtime.device import Device
from serving.settings import Settings
from serving.standing import Standing
from serving.tasks.bounds import Bounds
from serving.tasks.people import HondoService
from serving.telemetry.course import Course
from serving.telemetry.levels import Levels, Shown
from serving.telemetry.metrics import FOLDER, Metrics
from serving.telemetry.watchdog import Watchdog
from serving.telemetry.witness import Witness

_log = logging.getLogger(__name__)

# grpc.aio takes calls in one after another, each through another thread and back. Several of its servers on one port,
# each with its share of the connections, keep that wait from being the pace. Linux alone spreads connections so.
_INTAKES: Final = 4 if sys.platform == "linux" else 1
# Where processes share a port, each asks its clients to connect again after so long (no call is lost by that): else all
# connections would stay with those processes that were there when another one ended.
_CONNECTION_AGE_MS: Final = 60_000
# Clients that ask every second whether the connection lives are welcome, with and without calls; gRPC's own bound, five
# minutes, cuts off those that ask more often.
_PING_MS: Final = 500
# How old the counts of workers may be that their supervisor tells.
_SHARE_S: Final = 0.25


class Server:
    """Serves a catalog from `start` until `stop`."""

    def __init__(
        self,
        catalog: Catalog,
        stock: Stock,
        device: Device,
        settings: Settings,
        *,
        door: Door = OPEN_DOOR,
        tell: Sequence[Callable[[Course], None]] = (),
    ) -> None:
        """Notes what to serve.

        Args:
            catalog: the models.
            stock: the folder that they are from.
            device: where they run.
            settings: how to serve.
            door: who may ask.
            tell: whom to tell of each request that has ended, beside the metrics.
        """
        self._catalog = catalog
        self._settings = settings
        self._door = door
        self._is_serving = False
        self._workers = ThreadPoolExecutor(settings.cores or available(), "work")
        self._people = HondoService(catalog, self._workers, _bounds(settings))
        self._intakes = [Intake(door, settings.drain_seconds) for _ in range(_INTAKES)]
        self._watchdog = Watchdog() if settings.watchdog else None
        self._standing = Standing([HONDO.full_name, INFERENCE.full_name])
        self._metrics = Metrics(counts=settings.metrics)
        self._witness = Witness([self._metrics.count, *tell] if settings.metrics else list(tell))
        self._upkeep = Upkeep(catalog, stock, device, settings, self._metrics)
        self._sequencing = Sequencing(catalog, self._metrics)
        self._refuse = TritonWords(catalog).refuse if settings.status_codes == StatusCodes.TRITON else as_it_is
        folder = Path(os.environ[FOLDER]) if settings.worker is not None and FOLDER in os.environ else None
        self._shown = Shown(Levels.named(settings.log_level), folder)
        regions = Regions(allowed=settings.shared_memory)
        self._extensions = Extensions(
            catalog,
            self._workers,
            metrics=self._metrics,
            regions=regions,
            sequencing=self._sequencing,
            shown=self._shown,
            sets_logs=door.knows_clients or is_loopback(settings.host),
        )
        self._inference = InferenceService(
            catalog,
            self._workers,
            regions=regions,
            sequencing=self._sequencing,
            extensions=self._extensions.names,
            refuse=self._refuse,
        )
        self._sharing: asyncio.TimerHandle | None = None
        self._following: asyncio.Task[None] | None = None
        self._open = ExitStack()

    async def start(self) -> int:
        """Opens the port.

        Returns:
            The port's number.

        Raises:
            Unavailable: the port, or that of the metrics, cannot be had.
        """
        repository = Repository(self._catalog, self._upkeep, is_controlled=self._settings.model_control)
        open_protocol = [self._inference, self._extensions, repository]
        people = handler(HONDO, [self._people], self._witness)
        inference = handler(INFERENCE, open_protocol, self._witness, self._refuse)
        options = _options(self._settings)
        for intake in self._intakes:
            intake.make((people, inference, *self._standing.handlers), options)
        port = self._listen()
        if self._settings.worker is None:  # else the supervisor tells of them
            place = (self._settings.host, self._settings.metrics_port)
            self._open.enter_context(exposed(self._metrics.registry, *place, lambda: self._is_serving, self._door))
        self._upkeep.start()
        self._standing.start(self._catalog)
        for intake in self._intakes:
            await intake.start()
        self._is_serving = True
        if self._watchdog:
            self._watchdog.start()
        self._share()
        self._following = asyncio.create_task(self._shown.follow())
        return port

    def _share(self) -> None:
        """Shows the counts to the supervisor now and again."""
        self._metrics.share()
        self._sharing = asyncio.get_running_loop().call_later(_SHARE_S, self._share)

    def _listen(self) -> int:
        host, port = self._settings.host, self._settings.port
        if _INTAKES > 1 and self._settings.worker is None:
            port = self._open.enter_context(reserved(host, port))
        try:
            for intake in self._intakes:
                port = intake.listen(host, port)
        except RuntimeError as error:
            raise refused(host, port) from error
        return port

    async def stop(self) -> None:
        """Says NOT_SERVING, refuses new calls, ends once those in flight are answered."""
        if self._watchdog:
            _log.info("%s", self._watchdog.stop())
        self._is_serving = False
        self._upkeep.stop()
        self._standing.stop()
        self._people.stop()
        self._inference.stop()
        await asyncio.gather(*[intake.stop() for intake in self._intakes])
        if self._sharing:
            self._sharing.cancel()
        if self._following:
            self._following.cancel()
        self._metrics.share()
        self._open.close()
        await self._sequencing.close()
        await self._upkeep.close()
        self._workers.shutdown()


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        images=settings.images,
        run_bytes=settings.model.run_bytes,
        message_bytes=settings.max_message_bytes,
        queue_rows=settings.model.max_queue_rows,
        parts=settings.cores or available(),
    )


def _options(settings: Settings) -> list[tuple[str, int]]:
    connections = most_connections()
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Without `reserved`, a second server on the same port would take half of the connections unnoticed.
        ("grpc.so_reuseport", int(settings.worker is not None or _INTAKES > 1)),
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        *([("grpc.max_connection_age_ms", _CONNECTION_AGE_MS)] if settings.worker is not None else []),
        # More are closed at once, so that their clients go elsewhere.
        *([("grpc.max_allowed_incoming_connections", max(1, connections // _INTAKES))] if connections else []),
    ]
