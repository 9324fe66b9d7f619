"""Sequences: each request goes on where the one before it ended, whatever else is asked meanwhile."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from protos import inference_pb2 as oip
from protos import triton_pb2 as triton
from protos.inference_pb2 import ModelInferRequest
from protos.rpc import INFERENCE, stream
from tests.serving import graphs, recurrent, writers
from tests.serving.asking import PATIENCE_S, ask, infer, raw, refusal
from tests.serving.process import Process, serving

StatusCode = grpc.StatusCode


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server of a graph that remembers, one that does not, and one that writes."""
    models = tmp_path_factory.mktemp("models")
    recurrent.remember(models / "remember" / "1" / "model.onnx")
    graphs.pick(models / "pick" / "1" / "model.onnx")
    writers.write_writer(models)
    # On a thread, so that what comes together runs together.
    with serving(models, models / "log", "--instances", "1") as process:
        yield process


@pytest.fixture
def channel(server: Process) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def step(
    name: int | str | None, digit: int, *, start: bool = False, end: bool = False, rows: int = 1
) -> ModelInferRequest:
    """Gives a request of a sequence."""
    request = raw("INT64", [rows, 1], [digit] * rows)
    request.model_name = "remember"
    if isinstance(name, int):
        request.parameters["sequence_id"].int64_param = name
    elif name is not None:
        request.parameters["sequence_id"].string_param = name
    request.parameters["sequence_start"].bool_param = start
    request.parameters["sequence_end"].bool_param = end
    return request


def seen(answer: oip.ModelInferResponse) -> int:
    """Gives the digits that a sequence has seen."""
    assert [output.name for output in answer.outputs] == ["y"]
    return int.from_bytes(answer.raw_output_contents[0], "little")


def walk(channel: grpc.Channel, name: int | str, digits: Sequence[int]) -> list[int]:
    """Asks a whole sequence; gives its answers."""
    last = len(digits) - 1
    return [
        seen(infer(channel, step(name, digit, start=place == 0, end=place == last)))
        for place, digit in enumerate(digits)
    ]


def test_sequence_goes_on_where_it_was(channel: grpc.Channel) -> None:
    """Each answer is that of all that the sequence has seen; a start begins anew."""
    assert walk(channel, 1, [1, 2, 3]) == [1, 12, 123]
    assert walk(channel, 1, [4, 5]) == [4, 45]


def test_sequences_do_not_meet(channel: grpc.Channel) -> None:
    """Interleaved sequences know nothing of each other; a number and a text are two names."""
    names: list[int | str] = [7, "7", 8]
    for name in names:
        infer(channel, step(name, 9, start=True))
    for digit in (1, 2):
        for place, name in enumerate(names):
            assert seen(infer(channel, step(name, digit + place))) % 10 == digit + place
    answers = [seen(infer(channel, step(name, 5, end=True))) for name in names]
    assert answers == [9125, 9235, 9345]


def test_many_clients_share_runs(server: Process) -> None:
    """Sequences of many clients at once come out right, and run together: there are fewer runs than requests."""
    random = np.random.default_rng(0)
    sequences = {name: random.integers(1, 10, 12).tolist() for name in range(100, 132)}
    with grpc.insecure_channel(server.address) as channel:

        def executions() -> tuple[int, int]:
            answer = ask(channel, triton.ModelStatisticsRequest(name="remember"))
            assert isinstance(answer, triton.ModelStatisticsResponse)
            return answer.model_stats[0].execution_count, answer.model_stats[0].inference_count

        runs_before, rows_before = executions()
        with ThreadPoolExecutor(len(sequences)) as asking:
            answers = dict(
                zip(sequences, asking.map(lambda each: walk(channel, *each), sequences.items()), strict=True)
            )
        runs, rows = executions()
    for name, digits in sequences.items():
        assert answers[name] == [int("".join(map(str, digits[: place + 1]))) for place in range(12)]
    assert rows - rows_before == 32 * 12
    assert runs - runs_before < 32 * 12


def test_stream_keeps_the_order(channel: grpc.Channel) -> None:
    """Requests of a sequence that are sent on a stream without waiting are run in their order."""
    steps = [step(2, digit, start=digit == 1, end=digit == 9) for digit in range(1, 10)]
    steps += [step(3, digit, start=digit == 9, end=digit == 1) for digit in range(9, 0, -1)]
    call = stream(channel, INFERENCE, "ModelStreamInfer", oip.ModelStreamInferResponse)
    answers = list(call(iter(steps), timeout=PATIENCE_S))
    assert not any(answer.error_message for answer in answers)
    assert [seen(answer.infer_response) for answer in answers[8::9]] == [123456789, 987654321]


@pytest.mark.parametrize("name", [None, 0, ""])
def test_request_without_a_name_is_refused(channel: grpc.Channel, name: int | str | None) -> None:
    """A model that keeps a state must be told whose."""
    code, text = refusal(channel, step(name, 1, start=True))
    assert code is StatusCode.INVALID_ARGUMENT
    assert "'sequence_id' expected" in text


def test_sequence_that_was_not_begun_is_refused(channel: grpc.Channel) -> None:
    """A sequence goes on only after it was begun, and not after its end."""
    code, text = refusal(channel, step(999, 1))
    assert code is StatusCode.INVALID_ARGUMENT
    assert "no sequence '999' of model 'remember'" in text
    walk(channel, 998, [1, 2])
    assert refusal(channel, step(998, 3))[0] is StatusCode.INVALID_ARGUMENT


def test_failed_request_leaves_the_state(channel: grpc.Channel) -> None:
    """A request that is refused leaves its sequence as it was, even if it was to be the last."""
    infer(channel, step(5, 1, start=True))
    assert "one row at a time" in refusal(channel, step(5, 2, rows=2))[1]
    wrong = step(5, 2, end=True)
    wrong.inputs[0].name = "other"
    refusal(channel, wrong)
    assert seen(infer(channel, step(5, 3, end=True))) == 13


def test_model_without_a_state_takes_no_sequence(channel: grpc.Channel) -> None:
    """A model that declares no state is not asked for one by oversight."""
    request = raw("INT64", [1], [0], "index")
    request.model_name = "pick"
    request.parameters["sequence_id"].int64_param = 1
    assert refusal(channel, request) == (
        StatusCode.INVALID_ARGUMENT,
        "parameters: 'sequence_id' came, but the model declares no state",
    )


def test_state_is_not_part_of_the_signature(channel: grpc.Channel) -> None:
    """Metadata and configuration have the tensors that requests have, and the configuration says what is kept."""
    metadata = ask(channel, oip.ModelMetadataRequest(name="remember"))
    assert isinstance(metadata, oip.ModelMetadataResponse)
    assert [each.name for each in metadata.inputs] == ["x"]
    assert [each.name for each in metadata.outputs] == ["y"]
    answer = ask(channel, triton.ModelConfigRequest(name="remember"))
    assert isinstance(answer, triton.ModelConfigResponse)
    batching = answer.config.sequence_batching
    assert [(each.input_name, each.output_name, list(each.dims)) for each in batching.state] == [("h", "next_h", [1])]
    assert batching.max_sequence_idle_microseconds == 60_000_000
    assert [list(each.dims) for each in answer.config.input] == [[1]]


def test_released_kind_of_writer_goes_on(channel: grpc.Channel) -> None:
    """A net that writes is driven step by step as a sequence, and writes what its twin does."""
    twin, token = writers.Twin(), 3
    for place in range(3):
        request = raw("INT64", [1], [token], "token")
        request.MergeFrom(raw("FP32", [1], [0.0], "temperature"))
        request.MergeFrom(raw("INT64", [1], [0], "top_k"))
        request.MergeFrom(raw("FP32", [1], [1.0], "top_p"))
        request.MergeFrom(raw("FP32", [1, writers.STEPS], [0.0] * writers.STEPS, "uniform"))
        request.model_name = "writer"
        request.parameters["sequence_id"].int64_param = 1
        request.parameters["sequence_start"].bool_param = place == 0
        request.parameters["sequence_end"].bool_param = place == 2
        answer = infer(channel, request)
        assert [output.name for output in answer.outputs] == ["next_token", "log_probability"]
        expected = []
        for _ in range(writers.STEPS):
            twin.see(token)
            token = twin.choose(0.0)
            expected.append(token)
        assert np.frombuffer(answer.raw_output_contents[0], np.int64).tolist() == expected


def test_idle_sequences_are_forgotten_and_their_room_is_free(tmp_path: Path) -> None:
    """A sequence that is asked nothing for long is forgotten; as many as may be are kept, and no more."""
    recurrent.remember(tmp_path / "models" / "remember" / "1" / "model.onnx")
    options = ("--max-sequences", "2", "--sequence-idle-seconds", "2")
    with (
        serving(tmp_path / "models", tmp_path / "log", *options) as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        is_over = threading.Event()

        def keep_on() -> int:
            digits = 1
            while not is_over.wait(0.3):
                infer(channel, step("busy", 0))
                digits += 1
            return digits

        infer(channel, step("busy", 1, start=True))
        with ThreadPoolExecutor(1) as asking:
            busy = asking.submit(keep_on)
            infer(channel, step("idle", 1, start=True))
            code, text = refusal(channel, step("third", 1, start=True))
            assert code is StatusCode.RESOURCE_EXHAUSTED
            assert "2 sequences of model 'remember' are open" in text
            time.sleep(3)
            assert "no sequence 'idle'" in refusal(channel, step("idle", 2))[1]
            infer(channel, step("third", 1, start=True))
            is_over.set()
            digits = busy.result(PATIENCE_S)
        assert len(str(seen(infer(channel, step("busy", 5, end=True))))) == min(digits + 1, 19)
        infer(channel, step("third", 1, end=True))
        infer(channel, step("another", 1, start=True))
        infer(channel, step("and another", 1, start=True))
