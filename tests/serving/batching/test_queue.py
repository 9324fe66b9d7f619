"""The queue's order, and what it takes together."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batching.queue import Job, Priority, Queue
from serving.runtime.sizes import Sizes

SIZES = Sizes((1, 2, 4, 8), (1.0, 1.1, 1.2, 1.3))


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop to make futures with; it never runs."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def job(
    loop: asyncio.AbstractEventLoop, rows: int, width: int = 1, priority: Priority = Priority.NORMAL, output: str = "y"
) -> Job:
    """Gives a job for f32[rows,width]."""
    return Job({"x": np.zeros((rows, width), np.float32)}, (output,), rows, priority, loop.create_future())


def test_whole_jobs_are_taken_in_their_order(loop: asyncio.AbstractEventLoop) -> None:
    """A batch holds the oldest requests, each of them whole, as far as the best size goes."""
    queue = Queue()
    jobs = [job(loop, rows) for rows in (3, 3, 3, 1)]
    for each in jobs:
        queue.add(each)
    taken = queue.take(SIZES)
    assert [(share.job, share.start, share.end) for share in taken] == [(jobs[0], 0, 3), (jobs[1], 0, 3)]
    assert queue.rows == 4
    assert [share.job for share in queue.take(SIZES)] == jobs[2:]
    assert queue.rows == 0
    assert queue.take(SIZES) == []


@pytest.mark.parametrize("other", [{"width": 2}, {"output": "z"}])
def test_jobs_of_other_shapes_or_outputs_never_mix(loop: asyncio.AbstractEventLoop, other: dict[str, object]) -> None:
    """Requests share a run only where their trailing shapes and the outputs wanted are the same."""
    queue = Queue()
    first, stranger, third = job(loop, 1), job(loop, 1, **other), job(loop, 1)  # type: ignore[arg-type]
    for each in (first, stranger, third):
        queue.add(each)
    assert [share.job for share in queue.take(SIZES)] == [first, third]
    assert [share.job for share in queue.take(SIZES)] == [stranger]


def test_rows_of_any_size_fill_a_run_by_their_numbers(loop: asyncio.AbstractEventLoop) -> None:
    """Where requests choose how large a row is, fewer large ones share a run than small ones."""
    queue = Queue()
    sizes = Sizes((1, 2, 4, 8), (1.0, 1.1, 1.2, 1.3), row_numbers=10)
    for width in (5, 20, 40, 90):
        for _ in range(8):
            queue.add(job(loop, 1, width=width))
    assert [len(queue.take(sizes)) for _ in range(15)] == [8, *[4] * 2, *[2] * 4, *[1] * 8]
    assert queue.rows == 0


def test_a_job_larger_than_any_run_is_split(loop: asyncio.AbstractEventLoop) -> None:
    """Its rows go through several runs in their order; the last of them has room for others."""
    queue = Queue()
    large, small = job(loop, 19), job(loop, 2)
    queue.add(large)
    queue.add(small)
    runs = [[(share.job, share.start, share.end) for share in queue.take(SIZES)] for _ in range(3)]
    assert runs == [[(large, 0, 8)], [(large, 8, 16)], [(large, 16, 19), (small, 0, 2)]]
    assert queue.rows == 0


def test_high_priority_goes_first_and_takes_others_along(loop: asyncio.AbstractEventLoop) -> None:
    """Urgent requests come first in the batch; room that they leave is not wasted."""
    queue = Queue()
    patient, urgent = job(loop, 1), job(loop, 1, priority=Priority.HIGH)
    queue.add(patient)
    queue.add(urgent)
    assert [share.job for share in queue.take(SIZES)] == [urgent, patient]


def test_a_removed_job_frees_its_rows_exactly_once(loop: asyncio.AbstractEventLoop) -> None:
    """Leaving twice, or leaving after it was taken, changes nothing."""
    queue = Queue()
    leaves, stays = job(loop, 3), job(loop, 2)
    queue.add(leaves)
    queue.add(stays)
    assert queue.remove(leaves)
    assert not queue.remove(leaves)
    assert queue.rows == 2
    queue.take(SIZES)
    assert not queue.remove(stays)
    assert queue.rows == 0


def test_a_job_that_leaves_half_run_frees_only_what_waits(loop: asyncio.AbstractEventLoop) -> None:
    """Of a split request, only the rows that no run has taken are still in the queue."""
    queue = Queue()
    large = job(loop, 20)
    queue.add(large)
    queue.take(SIZES)
    assert queue.rows == 12
    assert queue.remove(large)
    assert queue.rows == 0


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.integers(1, 20), st.sampled_from([1, 2]), st.sampled_from(Priority)),
            st.just("take"),
            st.integers(0, 5),
        ),
        max_size=40,
    )
)
def test_every_row_is_taken_once_or_leaves(steps: list[object]) -> None:
    """Whatever comes, leaves and is taken: the count of waiting rows is true, and no row is lost or run twice."""
    loop = asyncio.new_event_loop()
    queue, inside, runs = Queue(), [], []
    for step in steps:
        if isinstance(step, tuple):
            inside.append(job(loop, step[0], step[1], step[2]))
            queue.add(inside[-1])
        elif step == "take":
            runs += queue.take(SIZES)
        elif isinstance(step, int) and step < len(inside):
            queue.remove(inside.pop(step))
    while shares := queue.take(SIZES):
        assert sum(share.rows for share in shares) <= SIZES.largest
        assert len({share.job.group for share in shares}) == 1
        runs += shares
    loop.close()
    assert queue.rows == 0
    for each in inside:
        rows = [row for share in runs if share.job is each for row in range(share.start, share.end)]
        assert rows == list(range(each.rows))
