"""Errors in the words of Triton, as they stand in its sources and in its own test suites."""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from protos import inference_pb2 as oip
from protos import triton_pb2 as triton
from protos.inference_pb2 import ModelInferRequest
from protos.rpc import INFERENCE, stream
from tests.serving import artifacts, graphs, recurrent
from tests.serving.asking import PATIENCE_S, infer, raw, refusal
from tests.serving.process import Process, serving

StatusCode = grpc.StatusCode
NO_ID = "[request id: <id_unknown>] "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that tells errors as Triton does."""
    models = tmp_path_factory.mktemp("models")
    artifacts.write_classifier(models, "side", 1)
    graphs.join(models / "join" / "1" / "model.onnx")
    artifacts.write_two_graphs(models)
    recurrent.remember(models / "remember" / "1" / "model.onnx")
    with serving(models, models / "log", "--status-codes", "triton", "--shared-memory") as process:
        yield process


def joined() -> ModelInferRequest:
    """Gives a good request to the model of two inputs."""
    request = raw("BYTES", [1, 2], ["a", "b"], "name")
    request.MergeFrom(raw("INT64", [1, 2], [1, -20], "number"))
    request.model_name = "join"
    return request


def _unknown_model(request: ModelInferRequest) -> None:
    request.model_name = "nobody"


def _no_model(request: ModelInferRequest) -> None:
    request.model_name = ""


def _unknown_version(request: ModelInferRequest) -> None:
    request.model_version = "9"


def _no_version(request: ModelInferRequest) -> None:
    request.model_version = "nine"


def _negative_version(request: ModelInferRequest) -> None:
    request.model_version = "-9"


def _too_few(request: ModelInferRequest) -> None:
    del request.inputs[1], request.raw_input_contents[1]


def _too_few_with_id(request: ModelInferRequest) -> None:
    _too_few(request)
    request.id = "mine"


def _unknown_input(request: ModelInferRequest) -> None:
    request.inputs[1].name = "other"


def _unknown_output(request: ModelInferRequest) -> None:
    request.outputs.add(name="other")


def _twice(request: ModelInferRequest) -> None:
    request.inputs[1].name = "name"


def _datatype(request: ModelInferRequest) -> None:
    request.inputs[1].datatype = "FP32"


def _shape(request: ModelInferRequest) -> None:
    request.inputs[1].shape[:] = [1, 1, 2]


def _batch(request: ModelInferRequest) -> None:
    request.inputs[1].shape[:] = [2, 2]
    request.raw_input_contents[1] *= 2


def _bytes(request: ModelInferRequest) -> None:
    request.raw_input_contents[1] += b"more"


def _region(request: ModelInferRequest) -> None:
    request.inputs[1].parameters["shared_memory_region"].string_param = "mine"


CASES: dict[Callable[[ModelInferRequest], None], tuple[StatusCode, str]] = {
    _unknown_model: (StatusCode.NOT_FOUND, "Request for unknown model: 'nobody' is not found"),
    _no_model: (StatusCode.NOT_FOUND, "Request for unknown model: '' is not found"),
    _unknown_version: (StatusCode.NOT_FOUND, "Request for unknown model: 'join' version 9 is not found"),
    _no_version: (
        StatusCode.INVALID_ARGUMENT,
        "failed to get model version from specified version string 'nine' (details: stol), "
        "version should be an integral value > 0",
    ),
    _negative_version: (
        StatusCode.INVALID_ARGUMENT,
        "invalid model version specified '-9' , version should be an integral value > 0",
    ),
    _too_few: (
        StatusCode.INVALID_ARGUMENT,
        f"{NO_ID}expected 2 inputs but got 1 inputs for model 'join'. Got inputs ['name'], but missing required inputs "
        "['number']. Please provide all required inputs.",
    ),
    _too_few_with_id: (
        StatusCode.INVALID_ARGUMENT,
        "[request id: mine] expected 2 inputs but got 1 inputs for model 'join'. Got inputs ['name'], but missing "
        "required inputs ['number']. Please provide all required inputs.",
    ),
    _unknown_input: (StatusCode.INVALID_ARGUMENT, "unexpected inference input 'other' for model 'join'"),
    _unknown_output: (StatusCode.INVALID_ARGUMENT, "unexpected inference output 'other' for model 'join'"),
    _twice: (StatusCode.INVALID_ARGUMENT, "input 'name' already exists in request"),
    _datatype: (
        StatusCode.INVALID_ARGUMENT,
        f"{NO_ID}inference input 'number' data-type is 'FP32', but model 'join' expects 'INT64'",
    ),
    _bytes: (
        StatusCode.INVALID_ARGUMENT,
        f"{NO_ID}input byte size mismatch for input 'number' for model 'join'. Expected 16, got 20",
    ),
    _region: (StatusCode.NOT_FOUND, "Unable to find shared memory region: 'mine'"),
}


@pytest.mark.parametrize("spoil", CASES, ids=lambda spoil: spoil.__name__)
def test_wrong_request_is_told_as_triton_tells_it(server: Process, spoil: Callable[[ModelInferRequest], None]) -> None:
    """What is wrong with a request has Triton's code and text."""
    request = joined()
    spoil(request)
    with grpc.insecure_channel(server.address) as channel:
        assert refusal(channel, request) == CASES[spoil]


def test_wrong_shape_is_told_as_triton_tells_it(server: Process) -> None:
    """A wrong shape has Triton's text up to the note on batches, which stands where the model shares runs."""
    request = joined()
    _shape(request)
    with grpc.insecure_channel(server.address) as channel:
        code, text = refusal(channel, request)
    expected = f"{NO_ID}unexpected shape for input 'number' for model 'join'. Expected [-1,2], got [1,1,2]. "
    assert code is StatusCode.INVALID_ARGUMENT
    assert text.startswith(expected)


def test_batches_that_differ_are_told_as_triton_tells_it(server: Process) -> None:
    """Inputs of different batches have Triton's text."""
    request = joined()
    _batch(request)
    with grpc.insecure_channel(server.address) as channel:
        told = refusal(channel, request)
    assert told == (
        StatusCode.INVALID_ARGUMENT,
        f"{NO_ID}input 'number' batch size does not match other inputs for 'join'",
    )


def test_other_methods_are_told_likewise(server: Process) -> None:
    """Unknown models and regions are told as Triton tells them by the other methods, too."""
    unknown = (StatusCode.NOT_FOUND, "Request for unknown model: 'nobody' is not found")
    with grpc.insecure_channel(server.address) as channel:
        assert refusal(channel, oip.ModelMetadataRequest(name="nobody")) == unknown
        assert refusal(channel, triton.ModelConfigRequest(name="nobody")) == unknown
        assert refusal(channel, triton.ModelStatisticsRequest(name="nobody")) == unknown
        assert refusal(channel, triton.SystemSharedMemoryStatusRequest(name="mine")) == (
            StatusCode.NOT_FOUND,
            "Unable to find system shared memory region: 'mine'",
        )
        assert refusal(channel, triton.SystemSharedMemoryRegisterRequest(name="mine", key="a/b", byte_size=1)) == (
            StatusCode.INVALID_ARGUMENT,
            "failed to register shared memory region 'mine': invalid args",
        )


def test_streams_are_told_likewise(server: Process) -> None:
    """An error within a stream has Triton's text, and says which request it was."""
    request = joined()
    _unknown_model(request)
    request.id = "mine"
    with grpc.insecure_channel(server.address) as channel:
        call = stream(channel, INFERENCE, "ModelStreamInfer", oip.ModelStreamInferResponse)
        (answer,) = call(iter([request]), timeout=PATIENCE_S)
    assert answer.error_message == "Request for unknown model: 'nobody' is not found"
    assert answer.infer_response.id == "mine"


def test_sequences_are_told_likewise(server: Process) -> None:
    """A sequence without a name, and one that was not begun, are told as Triton tells them."""
    request = raw("INT64", [1, 1], [1])
    request.model_name = "remember"
    with grpc.insecure_channel(server.address) as channel:
        assert refusal(channel, request) == (
            StatusCode.INVALID_ARGUMENT,
            "inference request to model 'remember' must specify a non-zero or non-empty correlation ID",
        )
        request.parameters["sequence_id"].int64_param = 7
        assert refusal(channel, request) == (
            StatusCode.INVALID_ARGUMENT,
            "inference request for sequence 7 to model 'remember' must specify the START flag on the first request of "
            "the sequence",
        )


def test_what_triton_has_no_words_for_is_told_in_hondos(server: Process) -> None:
    """A model of several graphs, which Triton does not have, is told of as Hondo tells it."""
    request = joined()
    request.model_name = "two"
    with grpc.insecure_channel(server.address) as channel:
        code, text = refusal(channel, request)
    assert code is StatusCode.FAILED_PRECONDITION
    assert "several graphs" in text


def test_good_request_is_answered(server: Process) -> None:
    """What is right is answered as ever."""
    with grpc.insecure_channel(server.address) as channel:
        assert infer(channel, joined()).outputs[0].shape == [1, 2]


def test_full_queue_is_told_as_triton_tells_it(tmp_path: Path) -> None:
    """A queue that is full, and a request that waited too long, are UNAVAILABLE with Triton's texts."""
    graphs.slow(tmp_path / "models" / "slow" / "1" / "model.onnx")
    options = ("--status-codes", "triton", "--max-queue-rows", "1", "--instances", "1", "--queue-timeout-ms", "50")
    with (
        serving(tmp_path / "models", tmp_path / "log", *options) as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        request = raw("INT64", [], [300], "steps")
        request.model_name = "slow"
        call: grpc.UnaryUnaryMultiCallable[ModelInferRequest, oip.ModelInferResponse] = channel.unary_unary(
            f"/{INFERENCE.full_name}/ModelInfer",
            lambda message: message.SerializeToString(),
            oip.ModelInferResponse.FromString,
        )
        running = [call.future(request, timeout=3 * PATIENCE_S) for _ in range(4)]
        told = {(each.code(), each.details()) for each in running} - {(StatusCode.OK, "")}
        for each in running:
            each.cancel()
    assert told == {
        (StatusCode.UNAVAILABLE, f"{NO_ID}Exceeds maximum queue size"),
        (StatusCode.UNAVAILABLE, f"{NO_ID}Request timeout expired"),
    }
