"""The load generator in Python: gRPC calls of raw bytes on asyncio, in one or more processes."""

import asyncio
import selectors
import time
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
import numpy as np

from hondo.errors import Unavailable
from serving.bench import cpu
from serving.bench.calls import Calls, Drive, merge
from serving.bench.crew import Crew
from serving.bench.load import MAX_IN_FLIGHT, Closed, Load, Open, Pace, Window, arrivals_s
from serving.bench.questions import Questions

_OPTIONS: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A connection for each channel, though all lead to one server.
    ("grpc.use_local_subchannel_pool", 1),
    # A refusal is to be counted, not hidden.
    ("grpc.enable_retries", 0),
]
_CONNECT_TIMEOUT_S: Final = 10.0
# From telling the processes to send until the load begins.
_LEAD_S: Final = 0.05

_Call = grpc.aio.UnaryUnaryMultiCallable[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One process's part of a load."""

    server: str
    method: str
    bodies: tuple[bytes, ...]
    load: Load
    connections: int
    timeout_s: float
    max_in_flight: int
    seed: int


def driver(crew: Crew, questions: Questions) -> Drive:
    """Gives what puts loads on servers by asking these questions in turn; each process of the crew has connections."""

    def drive(server: str, load: Load, pace: Pace, pids: frozenset[int]) -> tuple[Calls, Window, float | None]:
        shares = _shares(questions, load, pace, server=server, processes=len(crew))
        crew.do(connect, shares)
        window = Window.at(time.monotonic() + _LEAD_S, pace)
        futures = crew.begin(generate, [window] * len(shares))
        (server_cpu_s,) = cpu.spent_s(window, [pids])
        return merge([future.result() for future in futures]), window, server_cpu_s

    return drive


def _shares(questions: Questions, load: Load, pace: Pace, *, server: str, processes: int) -> list[Share]:
    connections = _split(pace.connections_of(load), processes)
    return [
        Share(
            server=server,
            method=questions.method,
            bodies=questions.bodies,
            load=part,
            connections=own,
            timeout_s=pace.deadline_s or pace.patience_s,
            max_in_flight=MAX_IN_FLIGHT // len(connections),
            seed=number,
        )
        for number, (own, part) in enumerate(zip(connections, _parts(load, connections), strict=True))
    ]


def _split(total: int, parts: int) -> list[int]:
    """Splits a number as evenly as it goes; no part is 0."""
    parts = min(total, parts)
    return [total // parts + (part < total % parts) for part in range(parts)]


def _parts(load: Load, connections: list[int]) -> list[Load]:
    if isinstance(load, Closed):
        return [Closed(part) for part in _split(load.concurrency, len(connections))]
    return [Open(load.rate_per_s * own / sum(connections)) for own in connections]


# The share that this process has connected for, and has yet to send.
_connected: "list[tuple[asyncio.Runner, Share, list[grpc.aio.Channel]]]" = []


def connect(share: Share) -> None:
    """Opens the connections of one process's part of a load; runs in that process.

    Raises:
        Unavailable: the server does not take them.
    """
    runner = asyncio.Runner(loop_factory=_loop)
    _connected.append((runner, share, runner.run(_connect(share))))


def generate(window: Window) -> Calls:
    """Sends the part of a load that the process has connected for, and disconnects; runs in that process."""
    runner, share, channels = _connected.pop()
    with runner:
        return runner.run(_generate(share, channels, window))


def _loop() -> asyncio.AbstractEventLoop:
    # epoll's timers have steps of a millisecond, which would make arrivals late; those of select have microseconds.
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def _connect(share: Share) -> list[grpc.aio.Channel]:
    channels = [grpc.aio.insecure_channel(share.server, options=_OPTIONS) for _ in range(share.connections)]
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            for channel in channels:
                await channel.channel_ready()
    except TimeoutError:
        raise Unavailable(f"{share.server} does not take {share.connections} connections") from None
    return channels


async def _generate(share: Share, channels: list[grpc.aio.Channel], window: Window) -> Calls:
    sender = _Sender(share, window, [channel.unary_unary(share.method) for channel in channels])
    clock = asyncio.create_task(_cpu_s(window))
    await _sleep_until(window.begin_s)
    if isinstance(share.load, Closed):
        await asyncio.gather(*(sender.repeat(slot) for slot in range(share.load.concurrency)))
    else:
        await sender.arrive(share.load)
    for channel in channels:
        await channel.close()
    return sender.calls(await clock)


async def _cpu_s(window: Window) -> float:
    """Gives the processor time that this process uses in the window, seconds."""
    await _sleep_until(window.start_s)
    before_s = time.process_time()
    await _sleep_until(window.end_s)
    return time.process_time() - before_s


async def _sleep_until(when_s: float) -> None:
    await asyncio.sleep(max(0.0, when_s - time.monotonic()))


@dataclass(slots=True)
class _Sender:
    """Sends calls and notes what becomes of them."""

    share: Share
    window: Window
    # One for each connection.
    targets: list[_Call]
    sent: int = 0
    not_sent: int = 0
    answered: int = 0
    due_s: list[float] = field(default_factory=list)
    done_s: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    samples: list[tuple[int, bytes]] = field(default_factory=list)

    async def repeat(self, slot: int) -> None:
        """Calls again and again on one connection."""
        target = self.targets[slot % len(self.targets)]
        while (now_s := time.monotonic()) < self.window.end_s:
            await self._call(target, now_s)

    async def arrive(self, load: Open) -> None:
        """Calls when calls are due, answered or not; waits for the last answer."""
        window = self.window
        tasks: set[asyncio.Task[None]] = set()
        for offset_s in arrivals_s(load.rate_per_s, window.end_s - window.begin_s, self.share.seed).tolist():
            due_s = window.begin_s + offset_s
            await _sleep_until(due_s)  # gives way to answers, however late it is
            if len(tasks) >= self.share.max_in_flight:
                self.not_sent += due_s >= window.start_s
                continue
            task = asyncio.create_task(self._call(self.targets[self.sent % len(self.targets)], due_s))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _call(self, target: _Call, due_s: float) -> None:
        body = self.sent % len(self.share.bodies)
        self.sent += 1
        try:
            answer = await target(self.share.bodies[body], timeout=self.share.timeout_s)
        except grpc.aio.AioRpcError as error:
            self.status.append(error.code().value[0])
        else:
            self.status.append(grpc.StatusCode.OK.value[0])
            self._sample(body, answer)
        self.due_s.append(due_s)
        self.done_s.append(time.monotonic())

    def _sample(self, body: int, answer: bytes) -> None:
        """Keeps the first answer, the second, the fourth, the eighth, ...: some of the many, and of the few."""
        self.answered += 1
        if self.answered & (self.answered - 1) == 0:
            self.samples.append((body, answer))

    def calls(self, cpu_s: float) -> Calls:
        """Gives all that was noted."""
        return Calls(
            due_s=np.array(self.due_s, np.float64),
            done_s=np.array(self.done_s, np.float64),
            status=np.array(self.status, np.int16),
            not_sent=self.not_sent,
            cpu_s=cpu_s,
            busy=cpu_s / self.window.seconds,
            samples=self.samples,
        )
