"""Several decode loops, one on each device: jobs are spread over them, and nobody sees a difference."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serving.batching.batcher import Queueing
from serving.decode.loops import Loops
from serving.decode.plan import Plan
from serving.telemetry.metrics import Metrics
from tests.serving import writers
from tests.serving.decode.looping import READ_SIZES, SIZES, job, until


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def loops(tmp_path: Path, metrics: Metrics) -> AsyncIterator[Loops]:
    """Two loops, each with sessions of its own."""
    first, second = (writers.open_graphs(tmp_path / name) for name in "ab")
    made = Loops(Plan(first, SIZES, READ_SIZES, others=(second,)), Queueing(), metrics.decode_tally("model", 1))
    yield made
    made.close()


def counted(metrics: Metrics, name: str) -> float:
    """Gives the sum of a metric."""
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name)


async def written(loops: Loops, row: int) -> list[int]:
    """Gives what a job writes."""
    stream = loops.begin(job([row], 30 * row, seed=row))
    try:
        tokens: list[int] = []
        while taken := await stream.take():
            tokens += [token for piece in taken for token in piece.tokens_T.tolist()]
        return tokens
    finally:
        loops.leave(stream)


async def test_jobs_write_the_same_on_every_device(loops: Loops) -> None:
    """Whichever loop a job comes to, it writes what it should."""
    found = await asyncio.gather(*[written(loops, row) for row in range(1, 13)])
    assert found == [writers.written([row], 30 * row, seed=row)[0] for row in range(1, 13)]


async def test_a_job_goes_where_the_fewest_rows_are(loops: Loops) -> None:
    """Jobs of many rows on one device send the next ones to the other, until both have as many."""
    long = 100_000
    streams = [loops.begin(job([1], long, rows=rows)) for rows in (3, 1, 1, 1, 1)]
    assert [loop.rows for loop in loops._loops] == [4, 3]
    loops.leave(streams[0])
    streams.append(loops.begin(job([1], long)))
    assert [loop.rows for loop in loops._loops] == [2, 3]
    for stream in streams[1:]:
        loops.leave(stream)
    assert [loop.rows for loop in loops._loops] == [0, 0]


async def test_what_they_do_adds_up(loops: Loops, metrics: Metrics) -> None:
    """Rows that run, and tokens, are those of all devices together."""
    await asyncio.gather(*[written(loops, 2) for _ in range(4)])
    await until(lambda: counted(metrics, "hondo_running_rows") == 0)
    assert counted(metrics, "hondo_tokens_total") == 4 * 60
    streams = [loops.begin(job([1], 100_000)) for _ in range(4)]
    await until(lambda: counted(metrics, "hondo_running_rows") == 4)
    assert [loop.rows for loop in loops._loops] == [2, 2]
    for stream in streams:
        loops.leave(stream)
    await until(lambda: counted(metrics, "hondo_running_rows") == 0)
