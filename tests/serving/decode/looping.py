"""A loop on the tiny model, and jobs for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from serving.batching.batcher import Queueing
from serving.decode.graphs import Graphs
from serving.decode.job import Job, Piece
from serving.decode.loop import Loop
from serving.decode.plan import Plan
from serving.decode.stream import Stream
from serving.runtime.session import Session
from serving.telemetry.metrics import Metrics
from serving.telemetry.tally import DecodeTally

SIZES = (1, 2, 3, 4)
READ_SIZES = (1, 2, 4)


@asynccontextmanager
async def looping(
    graphs: Graphs,
    sizes: Sequence[int] = SIZES,
    read_sizes: Sequence[int] = READ_SIZES,
    queueing: Queueing | None = None,
    tally: DecodeTally | None = None,
    *,
    cores: int | None = None,
    wide: Session | None = None,
) -> AsyncIterator[Loop]:
    """Runs a loop on the test's event loop."""
    plan = Plan(graphs, tuple(sizes), tuple(read_sizes), cores, wide)
    loop = Loop(plan, queueing or Queueing(), tally or new_tally())
    try:
        yield loop
    finally:
        loop.close()


def new_tally() -> DecodeTally:
    """Gives counts of their own."""
    return Metrics().decode_tally("model", 1)


def job(
    prompt: Sequence[int] = (0,), limit: int = 10, *, temperature: float = 1, top_k: int = 0, **settings: Any
) -> Job:
    """Gives a job for the tiny model."""
    constants = {"temperature": temperature, "top_k": top_k, "top_p": 1.0}
    settings["stops"] = [np.array(stop) for stop in settings.get("stops", ())]
    return Job(tokens_T=np.array(prompt, np.int64), limit=limit, constants=constants, **settings)


async def everything(loop: Loop, stream: Stream) -> dict[int, Piece]:
    """Takes a stream to its end; gives each row's pieces as one."""
    pieces: dict[int, list[Piece]] = {}
    try:
        while taken := await stream.take():
            for piece in taken:
                pieces.setdefault(piece.row, []).append(piece)
    finally:
        loop.leave(stream)
    return {row: joined(parts) for row, parts in pieces.items()}


def joined(parts: Sequence[Piece]) -> Piece:
    """Gives pieces as one; only the last may be an end."""
    assert all(part.end is None for part in parts[:-1])
    tokens_T = np.concatenate([part.tokens_T for part in parts])
    log_probability_T = np.concatenate([part.log_probability_T for part in parts])
    attention_TP = np.concatenate([part.attention_TP for part in parts])
    return Piece(parts[0].row, tokens_T, log_probability_T, parts[-1].end, parts[-1].stop, attention_TP)


async def tokens(loop: Loop, asked: Job) -> list[int]:
    """Gives what a job of one row writes."""
    written: list[int] = (await everything(loop, loop.begin(asked)))[0].tokens_T.tolist()
    return written


async def until(condition: Callable[[], bool], patience_s: float = 20) -> None:
    """Waits for something to become true."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110  what counts has no event
            await asyncio.sleep(0.002)
