"""A model that raises or hangs in `run`."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import pytest

from protos.hondo_pb2 import GenerateRequest, GenerateResponse
from protos.inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.rpc import HONDO, INFERENCE, replies, unary
from serving.bench.holdings import held
from tests.faults.vitals import await_back, await_so, check_well, slots, write
from tests.serving import graphs, writers
from tests.serving.asking import PATIENCE_S, call_of, raw
from tests.serving.process import Process, serving
from tests.serving.swaps import OWN, publish, under_load

# Steps that no test lives to see the end of.
FOR_EVER: Final = 1e12
_HANGS_AT: Final = 31


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good classifier, models that raise or hang for some inputs, and one that writes until it hangs."""
    models = tmp_path_factory.mktemp("models")
    publish(models, 1)
    writers.write_writer(models, hangs_at_top_k=_HANGS_AT)
    graphs.fragile(models / "fragile" / "1" / "model.onnx")
    graphs.pick(models / "pick" / "1" / "model.onnx")
    graphs.slow_classifier(models / "hangs" / "1" / "model.onnx")
    graphs.slow(models / "stuck" / "1" / "model.onnx")
    return models


@pytest.fixture
def server(models: Path, tmp_path: Path) -> Iterator[Process]:
    """A server of them."""
    with serving(models, tmp_path / "log") as process:
        yield process


@pytest.fixture
def channel(server: Process) -> Iterator[grpc.Channel]:
    """A connection to it, on which nothing is asked twice."""
    with grpc.insecure_channel(server.address, options=OWN) as channel:
        yield channel


def infer(channel: grpc.Channel, model: str, request: ModelInferRequest, timeout_s: float = PATIENCE_S) -> str:
    """Runs a model; gives the code that the call ends with, and the outputs where that is OK."""
    request.model_name = model
    try:
        answer = unary(channel, INFERENCE, "ModelInfer", ModelInferResponse)(request, timeout=timeout_s)
    except grpc.RpcError as error:
        return call_of(error).code().name
    return str(np.frombuffer(answer.raw_output_contents[0], np.int64).tolist())


def picked(channel: grpc.Channel, index: int) -> str:
    """Asks for one of (10, 11, 12)."""
    return infer(channel, "pick", raw("INT64", [1], [index], "index"))


def steps(channel: grpc.Channel, count: float, timeout_s: float = PATIENCE_S) -> str:
    """Has the classifier of values take so many steps; gives the code, or OK."""
    request = raw("FP32", [1, 1], [count], "values")
    code = infer(channel, "hangs", request, timeout_s)
    return "OK" if code.startswith("[") else code


def test_a_run_that_raises_fails_alone(server: Process, channel: grpc.Channel) -> None:
    """Inputs on which the graph raises are refused one by one, rows that shared their run get their own answers.

    What the caller is at fault for is INVALID_ARGUMENT, what the graph is INTERNAL without a word from within.
    """
    before = held(server.popen.pid)
    wanted = [["[10]", "[11]", "[12]", "INVALID_ARGUMENT"][number % 4] for number in range(64)]
    with under_load(server.address), ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda number: picked(channel, number % 4), range(64))) == wanted
        for rows in (5, 7) * 4:
            assert infer(channel, "fragile", raw("FP32", [rows], [0.5] * rows)) == "INTERNAL"
    assert "a_name_from_within" in server.log.read_text()
    await_back(server, before)
    check_well(server.address)


def test_a_run_that_hangs_holds_up_nobody_else(server: Process, channel: grpc.Channel) -> None:
    """A graph hangs on the event loop where it was planned, another on its thread: all other answers come, and right.

    The callers are told DEADLINE_EXCEEDED, what they left ends, and the same models answer again.
    """
    assert "hangs/1/model.onnx: Sizes" in server.log.read_text()
    assert steps(channel, 2) == "OK"
    before = held(server.popen.pid)
    with under_load(server.address), ThreadPoolExecutor(8) as threads:
        hanging = [threads.submit(steps, channel, FOR_EVER, 1.5) for _ in range(3)]
        request = raw("INT64", [], [int(FOR_EVER)], "steps")
        stuck = threads.submit(infer, channel, "stuck", request, 1.5)
        assert [call.result() for call in (*hanging, stuck)] == ["DEADLINE_EXCEEDED"] * 4
        assert steps(channel, 2) == "OK"
        assert infer(channel, "stuck", raw("INT64", [], [3], "steps")) == "[3]"
    assert server.log.read_text().count("ran for 0.25 s on the event loop: from now on it runs on threads") == 1
    await_back(server, before)
    check_well(server.address)


def test_company_of_a_run_that_hangs_is_answered(server: Process, channel: grpc.Channel) -> None:
    """Rows that share a run with one that hangs are run again without it, long before its caller gives up."""
    assert steps(channel, 2) == "OK"
    with ThreadPoolExecutor(25) as threads, grpc.insecure_channel(server.address, options=OWN) as other:
        calls = [threads.submit(steps, channel, 1) for _ in range(12)]
        hanging = threads.submit(steps, other, FOR_EVER)
        calls += [threads.submit(steps, channel, 1) for _ in range(12)]
        assert [call.result() for call in calls] == ["OK"] * 24
        assert not hanging.done()
        other.close()
        assert hanging.result() == "CANCELLED"
    await_so(lambda: slots(server) == 0, "rows wait or run on")
    check_well(server.address)


def test_runs_have_a_limit(models: Path, tmp_path: Path) -> None:
    """Who waits without a deadline is told DEADLINE_EXCEEDED at --run-timeout-seconds; texts as well; all goes on."""
    with (
        serving(models, tmp_path / "log", "--run-timeout-seconds", "1") as server,
        grpc.insecure_channel(server.address, options=OWN) as channel,
        ThreadPoolExecutor(2) as threads,
    ):
        before = held(server.popen.pid)
        writing = replies(channel, HONDO, "Generate", GenerateResponse)(
            GenerateRequest(model="writer", max_characters=1000, top_k=_HANGS_AT), timeout=PATIENCE_S
        )
        hanging = threads.submit(steps, channel, FOR_EVER)
        with pytest.raises(grpc.RpcError, match="the graph ran for longer than 1 s and was ended") as late:
            list(writing)
        assert call_of(late.value).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert hanging.result() == "DEADLINE_EXCEEDED"
        write(channel)
        assert steps(channel, 2) == "OK"
        await_back(server, before)
        check_well(server.address)


def test_a_hanging_run_does_not_keep_a_server_from_ending(server: Process, channel: grpc.Channel) -> None:
    """SIGTERM ends a server with code 0 once its callers' time is over, though their runs would never end."""
    with ThreadPoolExecutor(2) as threads:
        hanging = threads.submit(steps, channel, FOR_EVER, 3)
        stuck = threads.submit(infer, channel, "stuck", raw("INT64", [], [int(FOR_EVER)], "steps"), 3)
        await_so(lambda: slots(server) == 0 and "from now on it runs on threads" in server.log.read_text(), "no run")
        server.popen.send_signal(signal.SIGTERM)
        assert server.popen.wait(PATIENCE_S) == 0
        assert {hanging.result(), stuck.result()} <= {"DEADLINE_EXCEEDED", "UNAVAILABLE", "CANCELLED"}
