"""The supervisor: keeps several workers alive on one port, and does not serve itself.

What a client sees when a worker is killed (SIGKILL): its connection breaks, the calls in flight fail with UNAVAILABLE,
and gRPC's retry policy makes them again on a new connection. That one lands on another worker, because the dead one's
listening socket is closed before its connections are (a dead process's files close from the lowest number on). The
policy does not help where

- an answer had begun to arrive: gRPC makes no call again whose answer it has seen the beginning of;
- the request is larger than the channel's `grpc.per_rpc_retry_buffer_size`, 256 KiB unless set;
- a new connection met the worker in the moment of its death: that one fails too, and the channel tries the next only
  after `grpc.initial_reconnect_backoff_ms`, 1 s unless set, while four attempts from 0.1 s on take 0.7 s together;
- the service config has `retryThrottling` whose tokens are used up.

A worker that is stopped (SIGTERM) answers the calls that it has begun, and its clients move on. Those calls that were
on their way to it in that moment, a few milliseconds' worth, gRPC ends with CANCELLED (grpc/grpc#41785), which is to be
made again like UNAVAILABLE. `hondo.client` sets all of that.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hondo.errors import ServerError
from serving.worker import Worker

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Restarts:
    """How workers that end are followed by new ones."""

    # How long the next one waits, seconds: twice as long each time, between these two ...
    first_delay_s: float = 0.2
    longest_delay_s: float = 10.0
    # ... and again the first delay after one that was ready for so long, or ended because somebody stopped it.
    steady_after_s: float = 30.0
    # So many in a row that end before they are ready: more of them would not help.
    tries: int = 5


class Supervisor:
    """Keeps a worker process alive for each of several commands."""

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        restarts: Restarts,
        *,
        patience_s: float,
        on_ready: Callable[[], None],
        on_end: Callable[[int], None],
    ) -> None:
        """Notes what to run.

        Args:
            commands: one for each worker, which is known by its place in this list, from 1.
            restarts: what happens when one ends.
            patience_s: how long a worker may take to end once it is told to.
            on_ready: called once, when all are ready.
            on_end: called with the process's number whenever a worker has ended.
        """
        self._commands = commands
        self._restarts = restarts
        self._patience_s = patience_s
        self._on_ready = on_ready
        self._on_end = on_end
        self._ready: set[int] = set()
        self._all_were_ready = False

    @property
    def is_serving(self) -> bool:
        """Whether any worker serves."""
        return bool(self._ready)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs the workers until `stop` is set, then ends them.

        Raises:
            ServerError: a worker does not start, or not any more; all were stopped.
        """
        workers = [asyncio.create_task(self._keep(*numbered)) for numbered in enumerate(self._commands, 1)]
        stopping = asyncio.create_task(stop.wait())
        tasks = (*workers, stopping)
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        _log.info("stopping: no new calls, waiting for those in flight")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in done:
            task.result()

    async def _keep(self, number: int, command: Sequence[str]) -> None:
        """Runs a worker again and again; ends only by raising."""
        delay_s, unready = self._restarts.first_delay_s, 0
        while True:
            code, ready_for_s = await self._run(number, command)
            unready = unready + 1 if ready_for_s is None else 0
            self._check(number, code, unready)
            if code == 0 or (ready_for_s or 0) >= self._restarts.steady_after_s:
                delay_s = self._restarts.first_delay_s
            _log.warning("worker %d %s; the next one starts in %.1f s", number, _how(code), delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, self._restarts.longest_delay_s)

    async def _run(self, number: int, command: Sequence[str]) -> tuple[int, float | None]:
        """Runs a worker once; gives what `Worker.ended` gives."""
        worker = await Worker.start(command)
        try:
            _log.info("worker %d is process %d", number, worker.pid)
            if await worker.ready():
                self._note_ready(number)
            return await worker.ended()
        finally:
            self._ready.discard(number)
            if not await worker.stop(self._patience_s):
                _log.warning("worker %d was killed: it did not end within %.0f s", number, self._patience_s)
            self._on_end(worker.pid)

    def _note_ready(self, number: int) -> None:
        self._ready.add(number)
        if len(self._ready) == len(self._commands) and not self._all_were_ready:
            self._all_were_ready = True
            self._on_ready()

    def _check(self, number: int, code: int, unready: int) -> None:
        """Gives up where another try is useless."""
        if unready and code > 0 and not self._all_were_ready:
            raise ServerError(f"worker {number} {_how(code)} before it was ready: stopped all; its log says why")
        if unready == self._restarts.tries:
            raise ServerError(
                f"worker {number} {_how(code)}, the {unready}th in a row that ended before it was ready: "
                "stopped all; its log says why"
            )


def _how(code: int) -> str:
    return f"exited with code {code}" if code >= 0 else f"was ended by signal {-code}"
