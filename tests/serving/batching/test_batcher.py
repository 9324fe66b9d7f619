"""The batcher on real sessions: whose rows go where, who waits, who is refused."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper
from onnxruntime import RunOptions

from hondo.artifact import Tensors
from hondo.errors import DeadlineExceeded, InvalidRequest, Overloaded, Unavailable
from serving.batching.batcher import Batcher, Queueing
from serving.batching.queue import Priority
from serving.runtime.plan import Plan
from serving.runtime.runner import Plain
from serving.runtime.session import Session
from serving.runtime.sizes import Sizes
from serving.telemetry.metrics import Metrics
from serving.telemetry.tally import Outcome, Tally
from tests.serving import graphs
from tests.serving.pace import steps_per_s

SIZES = Sizes((1, 2, 4, 8), (1.0, 1.1, 1.2, 1.3))
# On the event loop, one thread, several threads.
INSTANCES = pytest.mark.parametrize("instances", [0, 1, 3])


@pytest.fixture(scope="module")
def tenfold(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session for y = 10 x, FP32[n,k] with k free."""
    nodes = [helper.make_node("Mul", ["x", "ten"], ["y"])]
    x, y = graphs.tensor("x", "FP32", ["n", "k"]), graphs.tensor("y", "FP32", ["n", "k"])
    path = tmp_path_factory.mktemp("tenfold") / "model.onnx"
    return Session.open(graphs.save(path, nodes, [x], [y], ten=np.full((), 10, np.float32)))


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session that loops as often as it is told."""
    return Session.open(graphs.slow(tmp_path_factory.mktemp("slow") / "model.onnx"))


@asynccontextmanager
async def batching(
    session: Session,
    instances: int = 1,
    sizes: Sizes | None = SIZES,
    queueing: Queueing | None = None,
    tally: Tally | None = None,
) -> AsyncIterator[Batcher]:
    """Runs a batcher on the test's event loop."""
    counts = tally or Metrics().tally("model", 1, "model")
    batcher = Batcher(Plan(session, sizes, instances), queueing or Queueing(), counts)
    try:
        yield batcher
    finally:
        await asyncio.to_thread(batcher.close)


def outcomes(metrics: Metrics) -> dict[str, int]:
    """Gives how many requests left the one graph that a server counts, by how they did; without those that none did."""
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    named = [sample for sample in samples if sample.name == "hondo_requests_total"]
    return {sample.labels["outcome"]: int(sample.value) for sample in named if sample.value}


def rows(first: float, count: int, width: int = 2) -> Tensors:
    """Gives f32[count,width] whose every element is different from all others' of other `first`s."""
    return {"x": (first + np.arange(count * width, dtype=np.float32)).reshape(count, width)}


async def busy(batcher: Batcher, slow: Session, run_s: float) -> "asyncio.Task[Tensors]":
    """Occupies a slow session for so long and waits until the run has begun."""
    steps = int(run_s * await asyncio.to_thread(steps_per_s, slow))
    task = asyncio.create_task(batcher.run({"steps": np.array(steps)}, ["y"]))
    await asyncio.sleep(0.05)
    assert batcher.queued_rows == 0
    return task


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from([1, 2, 5]), st.sampled_from(Priority), st.booleans()),
        min_size=1,
        max_size=60,
    ),
    instances=st.sampled_from([0, 1, 3]),
)
async def test_no_row_ever_reaches_another_request(
    tenfold: Session, requests: list[tuple[int, int, Priority, bool]], instances: int
) -> None:
    """Whatever sizes, shapes, priorities and cancellations are mixed, each request gets ten times its own rows."""
    async with batching(tenfold, instances, queueing=Queueing(max_rows=10_000)) as batcher:
        feeds = [rows(1000.0 * number, count, width) for number, (count, width, _, _) in enumerate(requests)]
        tasks = [
            asyncio.create_task(batcher.run(feed, ["y"], priority=priority))
            for feed, (_, _, priority, _) in zip(feeds, requests, strict=True)
        ]
        await asyncio.sleep(0)
        for task, (_, _, _, cancelled) in zip(tasks, requests, strict=True):
            if cancelled:
                task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert batcher.queued_rows == 0
    for feed, answer, (_, _, _, cancelled) in zip(feeds, answers, requests, strict=True):
        if isinstance(answer, asyncio.CancelledError):
            assert cancelled
        else:
            assert not isinstance(answer, BaseException)
            np.testing.assert_array_equal(answer["y"], 10 * feed["x"])


@INSTANCES
async def test_what_waits_runs_together(tmp_path: Path, instances: int) -> None:
    """Requests that arrive at once share runs: a graph that tells its batch size says so, padding included."""
    nodes = [
        helper.make_node("Shape", ["x"], ["size"], end=1),
        helper.make_node("Expand", ["size", "size"], ["y"]),
    ]
    x, y = graphs.tensor("x", "FP32", ["n", 2]), graphs.tensor("y", "INT64", ["n"])
    session = Session.open(graphs.save(tmp_path / "model.onnx", nodes, [x], [y]))
    async with batching(session, instances) as batcher:
        lone = await batcher.run(rows(0, 1), ["y"])
        together = await asyncio.gather(*[batcher.run(rows(0, 1), ["y"]) for _ in range(64)])
    assert lone["y"].tolist() == [1]
    assert max(answer["y"][0] for answer in together) == 8
    assert {int(answer["y"][0]) for answer in together} <= {1, 2, 4, 8}


async def test_graphs_without_a_batch_axis_run_one_by_one(slow: Session) -> None:
    """Where rows must not mix, each request has a run of its own, with its arrays as they came."""
    async with batching(slow, sizes=None) as batcher:
        answers = await asyncio.gather(*[batcher.run({"steps": np.array(n)}, ["y"]) for n in (1, 2, 3)])
    assert [int(answer["y"]) for answer in answers] == [1, 2, 3]


async def test_a_full_queue_refuses_at_once(slow: Session) -> None:
    """What would exceed the bound is refused within a moment, and told when to come again; the rest is answered."""
    metrics = Metrics()
    tally = metrics.tally("slow", 1, "model")
    async with batching(slow, sizes=None, queueing=Queueing(max_rows=2), tally=tally) as batcher:
        first = await busy(batcher, slow, 0.5)
        waiting = [asyncio.create_task(batcher.run({"steps": np.array(1)}, ["y"])) for _ in range(2)]
        await asyncio.sleep(0)
        started_s = time.monotonic()
        with pytest.raises(Overloaded, match="2 rows wait, at most 2 may") as refused:
            await batcher.run({"steps": np.array(1)}, ["y"])
        assert time.monotonic() - started_s < 0.05
        assert refused.value.retry_after_s >= 0
        assert [int(answer["y"]) for answer in await asyncio.gather(*waiting)] == [1, 1]
        await first
        assert outcomes(metrics) == {Outcome.REFUSED: 1, Outcome.ANSWERED: 3}


async def test_a_request_larger_than_the_queue_is_taken_when_nobody_waits(tenfold: Session) -> None:
    """The bound keeps requests from piling up; it does not forbid large ones."""
    async with batching(tenfold, queueing=Queueing(max_rows=4)) as batcher:
        answer = await batcher.run(rows(0, 50), ["y"])
    np.testing.assert_array_equal(answer["y"], 10 * rows(0, 50)["x"])


async def test_an_expired_request_never_runs(slow: Session) -> None:
    """A request that waited as long as it may gets DeadlineExceeded then, not when the session is free."""
    metrics = Metrics()
    async with batching(slow, sizes=None, tally=metrics.tally("slow", 1, "model")) as batcher:
        first = await busy(batcher, slow, 0.6)
        started_s = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="waited"):
            await batcher.run({"steps": np.array(10_000)}, ["y"], timeout_ms=30)
        assert time.monotonic() - started_s < 0.2
        assert not first.done()
        assert batcher.queued_rows == 0
        await first
        assert outcomes(metrics) == {Outcome.EXPIRED: 1, Outcome.ANSWERED: 1}


async def test_the_queue_has_a_patience_of_its_own(slow: Session) -> None:
    """Requests that name no limit expire by the queue's."""
    async with batching(slow, sizes=None, queueing=Queueing(timeout_ms=30)) as batcher:
        first = await busy(batcher, slow, 0.5)
        with pytest.raises(DeadlineExceeded):
            await batcher.run({"steps": np.array(1)}, ["y"])
        await first


async def test_a_cancelled_request_frees_its_slot_and_never_runs(slow: Session) -> None:
    """A caller who leaves takes the request out of the queue, once."""
    metrics = Metrics()
    async with batching(slow, sizes=None, tally=metrics.tally("slow", 1, "model")) as batcher:
        first = await busy(batcher, slow, 0.4)
        leaver = asyncio.create_task(batcher.run({"steps": np.array(100_000)}, ["y"]))
        await asyncio.sleep(0)
        assert batcher.queued_rows == 1
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        assert batcher.queued_rows == 0
        await first
        assert outcomes(metrics) == {Outcome.CANCELLED: 1, Outcome.ANSWERED: 1}


@INSTANCES
async def test_one_bad_request_does_not_fail_its_company(tmp_path: Path, instances: int) -> None:
    """Where a shared run fails, each request runs again alone, and only the culprit is told."""
    session = Session.open(graphs.pick(tmp_path / "model.onnx"))
    metrics = Metrics()
    async with batching(session, instances, tally=metrics.tally("pick", 1, "model")) as batcher:
        indices = [0, 1, 99, 2]
        asked = [batcher.run({"index": np.array([index])}, ["y"]) for index in indices]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[2], InvalidRequest)
    assert [answer["y"].tolist() for answer in answers if isinstance(answer, dict)] == [[10], [11], [12]]
    assert outcomes(metrics) == {Outcome.FAILED: 1, Outcome.ANSWERED: 3}


@pytest.mark.parametrize("has_rivals", [False, True])
async def test_all_cores_are_for_what_has_no_rivals(tenfold: Session, tmp_path: Path, *, has_rivals: bool) -> None:
    """A run with nothing beside it has the session on all cores, unless something else computes elsewhere."""
    pick = Session.open(graphs.same(tmp_path / "model.onnx", "FP32", ["n", "k"]))
    plan = Plan(tenfold, SIZES, 1, alone=pick)
    batcher = Batcher(plan, Queueing(), Metrics().tally("model", 1, "model"), lambda: not has_rivals)
    try:
        answer = await batcher.run(rows(1, 1), ["y"])
    finally:
        await asyncio.to_thread(batcher.close)
    assert answer["y"].tolist() == ([[10, 20]] if has_rivals else [[1, 2]])


async def test_company_is_waited_for_only_while_in_use(tenfold: Session) -> None:
    """A lone request on an idle session is answered at once; one soon after it waits for others, as long as it may."""
    async with batching(tenfold, queueing=Queueing(max_wait_ms=300)) as batcher:
        await asyncio.sleep(0.35)

        async def timed(ask: Callable[[], object]) -> float:
            started_s = time.monotonic()
            await ask()  # type: ignore[misc]
            return time.monotonic() - started_s

        assert await timed(lambda: batcher.run(rows(0, 1), ["y"])) < 0.15
        assert await timed(lambda: batcher.run(rows(0, 1), ["y"])) > 0.25
        full = [batcher.run(rows(0, 1), ["y"]) for _ in range(8)]
        assert await timed(lambda: asyncio.gather(*full)) < 0.15


@pytest.mark.parametrize(("max_wait_ms", "between_s"), [(0, (0, 0.1)), (300, (0.25, 0.6))])
async def test_on_the_loop_company_is_waited_for_as_long_as_asked(
    tenfold: Session, max_wait_ms: float, between_s: tuple[float, float]
) -> None:
    """One that comes alone after two together waits for a second for at most max_wait_ms; the next one does not."""
    async with batching(tenfold, 0, queueing=Queueing(max_wait_ms=max_wait_ms)) as batcher:
        await asyncio.gather(*[batcher.run(rows(first, 1), ["y"]) for first in range(2)])
        started_s = time.monotonic()
        await batcher.run(rows(0, 1), ["y"])
        waited_s = time.monotonic() - started_s
        assert between_s[0] <= waited_s < between_s[1]
        started_s = time.monotonic()
        await batcher.run(rows(0, 1), ["y"])
        assert time.monotonic() - started_s < 0.1


async def test_closing_answers_what_waits_and_refuses_the_rest(slow: Session) -> None:
    """Nothing that was taken is lost; nothing is taken after."""
    async with batching(slow, sizes=None) as batcher:
        tasks = [asyncio.create_task(batcher.run({"steps": np.array(n)}, ["y"])) for n in (50, 2, 3)]
        await asyncio.sleep(0)
        await asyncio.to_thread(batcher.close)
        with pytest.raises(Unavailable):
            await batcher.run({"steps": np.array(1)}, ["y"])
        assert [int(answer["y"]) for answer in await asyncio.gather(*tasks)] == [50, 2, 3]


class Seen:
    """Runs a session, and knows how many of its runs were under way at once."""

    running: dict[Session, int]
    most: dict[Session, int]

    def __init__(self, session: Session) -> None:
        self.session = session
        self._plain = Plain(session)

    def run(
        self, parts: Sequence[Tensors], padding: int, outputs: Sequence[str], options: RunOptions | None = None
    ) -> Tensors:
        """Runs it."""
        self.running[self.session] += 1
        self.most[self.session] = max(self.most[self.session], self.running[self.session])
        try:
            return self._plain.run(parts, padding, outputs, options)
        finally:
            self.running[self.session] -= 1


@pytest.mark.parametrize(("asked", "expected"), [(1, [0, 1]), (2, [1, 1]), (3, [1, 2]), (4, [2, 2])])
async def test_work_goes_where_least_is_done(asked: int, expected: list[int], slow: Session) -> None:
    """Of several sessions with two threads each, a request goes to the one with the fewest runs under way."""
    sessions = [slow, Session.open(slow.path)]
    runners = tuple(Seen(session) for session in sessions for _ in range(2))
    steps = int(0.2 * await asyncio.to_thread(steps_per_s, slow))
    for _ in range(5):
        Seen.running, Seen.most = dict.fromkeys(sessions, 0), dict.fromkeys(sessions, 0)
        batcher = Batcher(Plan(slow, None, 4, runners=runners), Queueing(), Metrics().tally("model", 1, "model"))
        await asyncio.sleep(0.02)  # until all threads wait
        await asyncio.gather(*[batcher.run({"steps": np.array(steps)}, ["y"]) for _ in range(asked)])
        await asyncio.to_thread(batcher.close)
        assert sorted(Seen.most.values()) == expected


async def test_devices_share_the_queue(tenfold: Session) -> None:
    """With a session on each of several devices, every row comes out right, and none runs two batches at once."""
    sessions = [tenfold, *(Session.open(tenfold.path) for _ in range(2))]
    Seen.running, Seen.most = dict.fromkeys(sessions, 0), dict.fromkeys(sessions, 0)
    plan = Plan(tenfold, SIZES, 3, runners=tuple(Seen(session) for session in sessions))
    batcher = Batcher(plan, Queueing(), Metrics().tally("model", 1, "model"))
    found = await asyncio.gather(*[batcher.run(rows(number, 1 + number % 3), ["y"]) for number in range(60)])
    await asyncio.to_thread(batcher.close)
    for number, outputs in enumerate(found):
        np.testing.assert_array_equal(outputs["y"], 10 * rows(number, 1 + number % 3)["x"])
    assert max(Seen.most.values()) == 1


async def test_a_run_that_is_deserted_ends(slow: Session) -> None:
    """Once all who wait for a run have left it is ended, counted as cancelled, and the next one runs."""
    metrics = Metrics()
    async with batching(slow, sizes=None, tally=metrics.tally("model", 1, "model")) as batcher:
        for_ever = asyncio.create_task(batcher.run({"steps": np.array(10**12)}, ["y"]))
        await asyncio.sleep(0.2)
        for_ever.cancel()
        answer = await asyncio.wait_for(batcher.run({"steps": np.array(2)}, ["y"]), 20)
    assert answer["y"] == 2
    assert outcomes(metrics) == {"cancelled": 1, "answered": 1}


async def test_a_long_run_leaves_the_event_loop(slow: Session) -> None:
    """A run that takes too long on the event loop goes on on a thread, and whoever waits for it is answered."""
    async with batching(slow, instances=0, sizes=None) as batcher:
        steps = int(1.5 * await asyncio.to_thread(steps_per_s, slow))
        assert (await batcher.run({"steps": np.array(steps)}, ["y"]))["y"] == steps
        assert len(batcher._threads) == 2
        assert (await batcher.run({"steps": np.array(1)}, ["y"]))["y"] == 1


async def test_a_run_has_a_limit(slow: Session) -> None:
    """Who waits for a run beyond the limit is told DEADLINE_EXCEEDED, on the event loop as on a thread."""
    for instances in (0, 1):
        async with batching(slow, instances, sizes=None, queueing=Queueing(run_s=0.6)) as batcher:
            with pytest.raises(DeadlineExceeded, match=r"the graph ran for longer than 0\.6 s"):
                await batcher.run({"steps": np.array(10**12)}, ["y"])
