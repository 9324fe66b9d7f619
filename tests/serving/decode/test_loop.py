"""The decode loop on a real session: every row writes what it would alone, whoever joins, leaves, waits or lags."""

import asyncio
import resource
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime import RunOptions

from hondo.errors import DeadlineExceeded, Overloaded, Unavailable
from serving.batching.batcher import Queueing
from serving.decode import batch as batches
from serving.decode import loop as loops
from serving.decode.graphs import Graphs
from serving.decode.job import End
from serving.decode.loop import Loop
from serving.decode.reading import LENGTHS
from serving.decode.stream import UNREAD_TOKENS
from serving.runtime.session import Bound, Run, Session
from serving.telemetry.counts import Counter, Gauge
from serving.telemetry.tally import DecodeTally, Outcome
from tests.serving import writers
from tests.serving.decode.looping import everything, job, looping, new_tally, tokens, until

LAP = batches.LAP * writers.STEPS
ENDLESS = 10**9


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    return writers.open_graphs(tmp_path_factory.mktemp("writer"))


def value(metric: Counter | Gauge) -> int:
    """Reads a counter or gauge."""
    return metric.value


def steps(tally: DecodeTally) -> int:
    """Gives how many steps were done."""
    return next(int(value) for name, _, value in tally.step_rows.samples(cumulative=True) if name == "_count")


async def test_row_writes_what_the_model_says(graphs: Graphs) -> None:
    """Tokens, their log-probabilities and the end are the model's own."""
    prompt = writers.encode("\nhello")
    async with looping(graphs) as loop:
        (piece,) = (await everything(loop, loop.begin(job(prompt, 25, seed=3)))).values()
    expected, log_probabilities = writers.written(prompt, 25, seed=3)
    assert piece.tokens_T.tolist() == expected
    assert piece.log_probability_T.tolist() == log_probabilities
    assert piece.end is End.LENGTH


@pytest.mark.parametrize("limit", [1, 3, 4, 5, LAP - 1, LAP, LAP + 1, 3 * LAP + 2])
async def test_limit_is_held(graphs: Graphs, limit: int) -> None:
    """A row writes as many tokens as it was asked for, be they no multiple of a run's or of a lap's."""
    async with looping(graphs) as loop:
        assert await tokens(loop, job(limit=limit)) == writers.written([0], limit)[0]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, LENGTHS[-1], LENGTHS[-1] + 1, 3 * LENGTHS[-1]])
async def test_prompt_is_read_whole(graphs: Graphs, length: int) -> None:
    """A prompt of any length is read, in one piece or in several."""
    prompt = np.random.default_rng(length).integers(0, 32, length).tolist()
    async with looping(graphs) as loop:
        assert await tokens(loop, job(prompt, 12)) == writers.written(prompt, 12)[0]


async def test_settings_are_each_rows_own(graphs: Graphs) -> None:
    """Rows of one run choose by their own temperature, top_k and seed."""
    settings = [{"temperature": 0}, {"temperature": 1, "seed": 4}, {"top_k": 3, "seed": 4}, {"seed": 5}]
    async with looping(graphs) as loop:
        found = await asyncio.gather(*[tokens(loop, job([1, 2], 30, **each)) for each in settings])
    assert found == [writers.written([1, 2], 30, **each)[0] for each in settings]


async def test_continuations_have_chances_of_their_own(graphs: Graphs) -> None:
    """The rows of a job write on from the same tokens, more of them than there are slots."""
    async with looping(graphs) as loop:
        found = await everything(loop, loop.begin(job([5, 6, 7], 40, rows=9, seed=8)))
    expected = {row: writers.written([5, 6, 7], 40, seed=8, row=row)[0] for row in range(9)}
    assert {row: piece.tokens_T.tolist() for row, piece in found.items()} == expected


async def test_job_that_only_reads_gets_probabilities(graphs: Graphs) -> None:
    """Tokens without rows to write give the log-probability of each, over several pieces too."""
    read = np.random.default_rng(0).integers(0, 32, 400).tolist()
    async with looping(graphs) as loop:
        (piece,) = (await everything(loop, loop.begin(job(read, rows=0)))).values()
    assert piece.end is End.READ
    assert piece.log_probability_T.tolist() == writers.scores(read)


async def test_what_was_written_scores_as_it_said(graphs: Graphs) -> None:
    """Reading a text gives the same log-probabilities as writing it did."""
    async with looping(graphs) as loop:
        (wrote,) = (await everything(loop, loop.begin(job([3], 50)))).values()
        (read,) = (await everything(loop, loop.begin(job([3, *wrote.tokens_T.tolist()], rows=0)))).values()
    assert read.log_probability_T[1:].tolist() == wrote.log_probability_T.tolist()


@pytest.mark.parametrize("position", [0, 1, 2, 3, 4, 5, LAP - 2, LAP - 1, LAP, LAP + 3])
async def test_row_ends_with_its_stop(graphs: Graphs, position: int) -> None:
    """A row ends with the first stop that it has written, wherever in a run or a lap that stands."""
    alone = writers.written([9], LAP + 20, seed=2)[0]
    stop = alone[position : position + 3]
    first = next(at for at in range(len(alone)) if alone[at : at + 3] == stop)
    async with looping(graphs) as loop:
        stops = [[31, 31, 31, 31, 31, 30], stop, [30] * 9]
        (piece,) = (await everything(loop, loop.begin(job([9], ENDLESS, seed=2, stops=stops)))).values()
    assert (piece.end, piece.stop) == (End.STOP, 1)
    assert piece.tokens_T.tolist() == alone[: first + 3]


async def test_longest_of_several_stops_is_meant(graphs: Graphs) -> None:
    """Where two stops end with one token, the longer one came; one within the prompt did not."""
    alone = writers.written([9, 9], 12, seed=2)[0]
    stops = [alone[5:7], alone[3:7], [9, 9]]
    async with looping(graphs) as loop:
        (piece,) = (await everything(loop, loop.begin(job([9, 9], 12, seed=2, stops=stops)))).values()
    assert (piece.end, piece.stop, len(piece.tokens_T)) == (End.STOP, 1, 7)


async def test_stop_beyond_the_limit_does_not_count(graphs: Graphs) -> None:
    """A stop that a run writes after the row's last token is not its end."""
    alone = writers.written([9], 8, seed=2)[0]
    async with looping(graphs) as loop:
        (piece,) = (await everything(loop, loop.begin(job([9], 5, seed=2, stops=[alone[5:6]])))).values()
    first = alone.index(alone[5])
    assert piece.end is (End.LENGTH if first == 5 else End.STOP)
    assert piece.tokens_T.tolist() == alone[: min(first + 1, 5)]


async def test_interval_is_held(graphs: Graphs) -> None:
    """Pieces come no faster than they were asked for, but the first at once."""
    async with looping(graphs) as loop:
        stream = loop.begin(job(limit=ENDLESS, interval_s=0.2))
        began_s = asyncio.get_running_loop().time()
        came_s, lengths = [], []
        for _ in range(3):
            lengths.append(sum(len(piece.tokens_T) for piece in await stream.take()))
            came_s.append(asyncio.get_running_loop().time() - began_s)
        loop.leave(stream)
    assert lengths[0] == writers.STEPS
    assert came_s[1] > 0.19
    assert came_s[2] > 0.39


async def test_who_leaves_frees_the_slot(graphs: Graphs) -> None:
    """A job that is left holds no slot: another runs in it, though all were taken by jobs without end."""
    tally = new_tally()
    async with looping(graphs, tally=tally) as loop:
        streams = [loop.begin(job(limit=ENDLESS, interval_s=0.01)) for _ in range(4)]
        await until(lambda: value(tally.running_rows) == 4)
        loop.leave(streams[2])
        await until(lambda: value(tally.running_rows) == 3)
        assert await tokens(loop, job([7], 30)) == writers.written([7], 30)[0]
        for stream in streams:
            loop.leave(stream)
        await until(lambda: value(tally.running_rows) == 0)
        assert value(tally.requests[Outcome.CANCELLED]) == 4
        assert value(tally.requests[Outcome.ANSWERED]) == 1
        assert value(tally.queue_rows) == 0


async def test_row_beside_one_that_leaves_goes_on(graphs: Graphs) -> None:
    """Where a row leaves, the last takes its place, state, chance and all, at whatever point of a lap."""
    async with looping(graphs) as loop:
        for limit in (1, 4, 9, LAP, LAP + 1):
            jobs = [job([number], 3 * LAP if number else limit, seed=number) for number in range(4)]
            found = await asyncio.gather(*[tokens(loop, each) for each in jobs])
            assert found == [writers.written([number], jobs[number].limit, seed=number)[0] for number in range(4)]


async def test_slow_reader_is_set_aside_and_goes_on(graphs: Graphs) -> None:
    """Who does not read holds no slot after a while; what was written for it is kept, and goes on when it reads."""
    tally = new_tally()
    async with looping(graphs, tally=tally) as loop:
        slow = loop.begin(job([3], 5 * UNREAD_TOKENS, seed=6))
        await until(lambda: value(tally.running_rows) == 0 and value(tally.written_tokens) >= UNREAD_TOKENS)
        ahead = value(tally.written_tokens)
        assert await tokens(loop, job([7], 30)) == writers.written([7], 30)[0]
        assert ahead < 1.5 * UNREAD_TOKENS
        (piece,) = (await everything(loop, slow)).values()
    assert piece.tokens_T.tolist() == writers.written([3], 5 * UNREAD_TOKENS, seed=6)[0]


async def test_reader_that_stops_holds_up_nobody(graphs: Graphs) -> None:
    """As many readers that never read as there are slots, and the others are served all the same."""
    async with looping(graphs) as loop:
        stuck = [loop.begin(job(limit=ENDLESS)) for _ in range(4)]
        found = await asyncio.gather(*[tokens(loop, job([number], 100, seed=number)) for number in range(8)])
        assert found == [writers.written([number], 100, seed=number)[0] for number in range(8)]
        for stream in stuck:
            loop.leave(stream)


async def test_long_rows_take_turns(graphs: Graphs) -> None:
    """Rows without end give way after some laps: one that waits gets its turn, and they go on where they were."""
    async with looping(graphs) as loop:
        endless = [loop.begin(job([number], ENDLESS, seed=number)) for number in range(4)]

        async def read(number: int, count: int) -> list[int]:
            written: list[int] = []
            while len(written) < count:
                written += [token for piece in await endless[number].take() for token in piece.tokens_T.tolist()]
            return written[:count]

        reading = [asyncio.create_task(read(number, 30 * LAP)) for number in range(4)]
        waiting = [tokens(loop, job([9], 2 * LAP, seed=seed)) for seed in range(6)]
        async with asyncio.timeout(60):
            assert await asyncio.gather(*waiting) == [writers.written([9], 2 * LAP, seed=seed)[0] for seed in range(6)]
            assert await asyncio.gather(*reading) == [
                writers.written([number], 30 * LAP, seed=number)[0] for number in range(4)
            ]
        for stream in endless:
            loop.leave(stream)


async def test_line_is_kept(graphs: Graphs) -> None:
    """With one slot, jobs begin in the order in which they came."""
    async with looping(graphs, sizes=(1,)) as loop:
        ended: list[int] = []

        async def run(number: int) -> None:
            await tokens(loop, job([number], 20))
            ended.append(number)

        await asyncio.gather(*[run(number) for number in range(12)])
    assert ended == list(range(12))


async def test_long_reading_does_not_stop_writing(graphs: Graphs) -> None:
    """While a long text is read, in pieces, those that write go on in between."""
    tally = new_tally()
    async with looping(graphs, tally=tally) as loop:
        writing = loop.begin(job(limit=ENDLESS, interval_s=0.01))
        await writing.take()
        reading = loop.begin(job([1] * 20_000, rows=0))
        read = asyncio.create_task(reading.take())
        before = value(tally.written_tokens)
        while not read.done():
            await writing.take()
        assert value(tally.written_tokens) - before > 20_000 / LENGTHS[-1]
        loop.leave(writing)


async def test_new_job_waits_few_steps_while_a_slot_is_free(graphs: Graphs) -> None:
    """However long others write, a job with a free slot is read and writing after some steps for each of its pieces."""
    tally = new_tally()
    async with looping(graphs, tally=tally) as loop:
        endless = [loop.begin(job(limit=ENDLESS, interval_s=0.01)) for _ in range(3)]
        for stream in endless:
            await stream.take()
        for length in (2, 100, 300):
            # Until this event loop hears of its end, steps go on: the least of several tries has few of those.
            took = []
            for _ in range(5):
                before = steps(tally)
                await tokens(loop, job([1] * length, 1))
                took.append(steps(tally) - before)
            assert min(took) < 40 * (2 + length // LENGTHS[-1])
        for stream in endless:
            loop.leave(stream)


async def test_full_queue_refuses(graphs: Graphs) -> None:
    """More rows than there are slots and places to wait are refused, with a time to come again."""
    tally = new_tally()
    async with looping(graphs, queueing=Queueing(max_rows=2), tally=tally) as loop:
        streams = [loop.begin(job(limit=ENDLESS)) for _ in range(6)]
        with pytest.raises(Overloaded, match="2 rows wait, at most 2") as refused:
            loop.begin(job())
        assert refused.value.retry_after_s >= 0
        assert value(tally.requests[Outcome.REFUSED]) == 1
        loop.leave(streams[0])
        streams[0] = loop.begin(job(limit=ENDLESS))
        for stream in streams:
            loop.leave(stream)


async def test_large_job_is_taken_where_nobody_waits(graphs: Graphs) -> None:
    """A job of more rows than may wait is taken by an idle loop: otherwise it never could be."""
    async with looping(graphs, sizes=(1,), queueing=Queueing(max_rows=1)) as loop:
        assert len(await everything(loop, loop.begin(job(rows=5)))) == 5


@pytest.fixture
def no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets rows keep their slots to their end."""
    monkeypatch.setattr(loops, "_TURN_LAPS", ENDLESS)


@pytest.mark.usefixtures("no_turns")
async def test_waiting_too_long_is_an_error(graphs: Graphs) -> None:
    """A job that does not begin in time ends; one that has begun goes on past that time."""
    tally = new_tally()
    async with looping(graphs, sizes=(1,), tally=tally) as loop:
        running = loop.begin(job(limit=ENDLESS, interval_s=0.01), timeout_ms=50)
        await running.take()
        waiting = loop.begin(job(), timeout_ms=1)
        with pytest.raises(DeadlineExceeded, match="waited 1 ms"):
            await waiting.take()
        await asyncio.sleep(0.06)
        assert await running.take()
        loop.leave(running)
        assert value(tally.requests[Outcome.EXPIRED]) == 1


@pytest.mark.usefixtures("no_turns")
async def test_queues_own_limit_holds_unless_a_job_has_one(graphs: Graphs) -> None:
    """A loop's time limit is that of its queue."""
    async with looping(graphs, sizes=(1,), queueing=Queueing(timeout_ms=1)) as loop:
        running = loop.begin(job(limit=ENDLESS, interval_s=0.01), timeout_ms=1000)
        await running.take()
        with pytest.raises(DeadlineExceeded):
            await loop.begin(job()).take()
        loop.leave(running)


async def test_close_ends_what_is_there(graphs: Graphs) -> None:
    """What is running, waiting or set aside fails when the model is unloaded; new jobs are refused."""
    async with looping(graphs, sizes=(1,)) as loop:
        streams = [loop.begin(job(limit=ENDLESS, interval_s=0.01)) for _ in range(3)]
        await streams[0].take()
        loop.close()
        for stream in streams:
            with pytest.raises(Unavailable):
                await everything(loop, stream)
        with pytest.raises(Unavailable):
            loop.begin(job())


@pytest.fixture
def long_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a step rest without end where it rests at all."""
    monkeypatch.setattr(loops, "_REST", ENDLESS)


@pytest.mark.usefixtures("long_rest")
async def test_steps_rest_while_all_cores_are_needed(graphs: Graphs) -> None:
    """A row has its first tokens at once; while enough jobs are on their way it rests, and afterwards goes on."""
    tally = new_tally()
    async with looping(graphs, tally=tally, cores=2) as loop:
        with loop.expects(), loop.expects():
            first = loop.begin(job([3], 30, seed=1))
            (piece,) = await first.take()
            await asyncio.sleep(0.05)
            assert steps(tally) == 1
        second = loop.begin(job([4], 30, seed=2))
        rest, whole = await asyncio.gather(everything(loop, first), everything(loop, second))
    assert [*piece.tokens_T.tolist(), *rest[0].tokens_T.tolist()] == writers.written([3], 30, seed=1)[0]
    assert whole[0].tokens_T.tolist() == writers.written([4], 30, seed=2)[0]


@pytest.mark.usefixtures("long_rest")
@pytest.mark.parametrize("cores", [2, None])
async def test_steps_do_not_rest_where_a_core_is_free(graphs: Graphs, cores: int | None) -> None:
    """Fewer jobs on their way than cores, or jobs that begin on another device, hold nothing up."""
    async with looping(graphs, cores=cores) as loop:
        with loop.expects():
            assert await tokens(loop, job([3], 30)) == writers.written([3], 30)[0]


@pytest.mark.usefixtures("long_rest")
async def test_resting_rows_leave_at_once(graphs: Graphs) -> None:
    """Nobody waits for a step's rest: not who leaves, nor who unloads the model."""
    tally = new_tally()
    async with looping(graphs, tally=tally, cores=1) as loop:
        with loop.expects():
            gone, waiting = loop.begin(job([3], 40)), loop.begin(job([5], 50))
            await gone.take()
            loop.leave(gone)
            await until(lambda: value(tally.running_rows) < 2)
            loop.close()
            with pytest.raises(Unavailable):
                await everything(loop, waiting)


async def test_steps_have_all_cores_while_no_job_is_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on its way needs the other cores; a row writes the same with one and with all."""
    graphs, ran = writers.open_graphs(tmp_path), []
    shutil.copy(tmp_path / "step.onnx", tmp_path / "wide.onnx")
    wide = Session.open(tmp_path / "wide.onnx", threads=2)
    bind = Session.bind

    def noted(session: Session, inputs: Mapping[str, Bound], outputs: Mapping[str, Bound]) -> Run:
        run = bind(session, inputs, outputs)

        def runs(options: RunOptions | None = None) -> None:
            ran.append(session.path.stem)
            run(options)

        return runs

    monkeypatch.setattr(Session, "bind", noted)
    async with looping(graphs, wide=wide) as loop:
        with loop.expects():
            assert await tokens(loop, job([3], 8)) == writers.written([3], 8)[0]
        assert await tokens(loop, job([3], 8)) == writers.written([3], 8)[0]
    steps_each = 8 // writers.STEPS
    assert ran == ["step"] * steps_each + ["wide"] * steps_each


@pytest.fixture
def fragile(tmp_path: Path) -> Graphs:
    """Graphs that fail where token 31 comes in."""
    good = writers.open_graphs(tmp_path / "good")
    for role in ("prefill", "step"):
        _break(tmp_path / "good" / f"{role}.onnx", tmp_path / "bad" / f"{role}.onnx", role)
    sessions = {role: Session.open(tmp_path / "bad" / f"{role}.onnx", threads=1) for role in ("prefill", "step")}
    assert good.steps == Graphs.of(sessions).steps
    return Graphs.of(sessions)


def _break(path: Path, into: Path, role: str) -> None:
    """Copies a graph with a look-up in its way that has no place for token 31."""
    model = onnx.load(path)
    name = "tokens" if role == "prefill" else "token"
    for node in model.graph.node:
        node.input[:] = ["looked_up" if each == name else each for each in node.input]
    model.graph.node.insert(0, helper.make_node("Gather", ["table", name], ["looked_up"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.arange(31), "table"))
    into.parent.mkdir(exist_ok=True)
    onnx.save(model, into)


async def test_failing_run_fails_those_in_it(fragile: Graphs) -> None:
    """Whatever a graph raises reaches the jobs that it was run for, and the loop serves the next."""
    tally = new_tally()
    async with looping(fragile, tally=tally) as loop:
        for bad in ([31], [31, 1, 1]):
            with pytest.raises(Exception, match="indices"):
                await loop.begin(job(bad)).take()
        assert value(tally.requests[Outcome.FAILED]) == 2
        assert value(tally.running_rows) == 0
        good = next(seed for seed in range(99) if 31 not in writers.written([1, 2], 8, seed=seed)[0])
        assert await tokens(loop, job([1, 2], 8, seed=good)) == writers.written([1, 2], 8, seed=good)[0]


async def _crowd(loop: Loop, streams: int, slow_share: float, chance: np.random.Generator) -> None:
    """Opens streams of all kinds at once: each writes what it would alone, or is left half-way."""

    async def one(number: int) -> None:
        prompt = [number % 32, *range(number % 11)]
        limit = int(chance.integers(1, 1000))
        asked = job(prompt, limit, seed=number, interval_s=float(chance.choice([0, 0.001, 0.02])), rows=1 + number % 2)
        is_slow = chance.random() < slow_share
        leaves_after = int(chance.integers(limit)) if chance.random() < 0.5 else None
        await asyncio.sleep(chance.random() * 0.2)
        stream = loop.begin(asked)
        written: dict[int, list[int]] = {row: [] for row in range(asked.rows)}
        try:
            while pieces := await stream.take():
                for piece in pieces:
                    written[piece.row] += piece.tokens_T.tolist()
                if leaves_after is not None and len(written[0]) >= leaves_after:
                    break
                if is_slow:
                    await asyncio.sleep(chance.random() * 0.3)
        finally:
            loop.leave(stream)
        for row, found in written.items():
            whole = writers.written(prompt, limit, seed=number, row=row)[0]
            assert found == (whole if leaves_after is None else whole[: len(found)]), f"stream {number}, row {row}"

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for number in range(streams):
            group.create_task(one(number))


@pytest.mark.parametrize("read_sizes", [(1,), (1, 2, 4)])
async def test_crowd_writes_as_each_would_alone(graphs: Graphs, read_sizes: tuple[int, ...]) -> None:
    """Half of many streams leave at random, a fifth read slowly; no row's text differs, and every slot comes back."""
    tally = new_tally()
    async with looping(graphs, sizes=(1, 2, 4, 6, 8), read_sizes=read_sizes, tally=tally) as loop:
        await _crowd(loop, 80, 0.2, np.random.default_rng(1))
        await until(lambda: value(tally.running_rows) == 0)
        assert await tokens(loop, job([7], 30)) == writers.written([7], 30)[0]
    _check_empty(loop, tally)


def _check_empty(loop: Loop, tally: DecodeTally) -> None:
    assert value(tally.queue_rows) == 0
    assert (loop._streams, loop._rows) == ({}, 0)
    assert not loop._batch.rows
    assert not loop._line
    assert not loop._reading.jobs


async def test_memory_stays_flat(graphs: Graphs) -> None:
    """After a first crowd, further ones take no more memory."""
    async with looping(graphs, sizes=(1, 2, 4, 8, 16)) as loop:
        await _crowd(loop, 50, 0.1, np.random.default_rng(2))
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for seed in range(3):
            await _crowd(loop, 50, 0.1, np.random.default_rng(seed))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1.05 * before_kb
