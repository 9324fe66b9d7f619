import struct
from collections.abc import Callable
from importlib.metadata import version

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message

from protos import inference_pb2 as oip
from protos.inference_pb2 import ModelInferRequest
from tests.serving import artifacts
from tests.serving.asking import ask, infer, raw, refusal, typed
from tests.serving.values import CONTENTS, VALUES, packed

StatusCode = grpc.StatusCode


def test_server_is_alive_and_ready(channel: grpc.Channel) -> None:
    """A server that answers is alive, and its models are loaded."""
    assert ask(channel, oip.ServerLiveRequest()) == oip.ServerLiveResponse(live=True)
    assert ask(channel, oip.ServerReadyRequest()) == oip.ServerReadyResponse(ready=True)


@pytest.mark.parametrize(
    ("name", "number", "ready"),
    [("side", "", True), ("side", "1", True), ("side", "3", False), ("side", "x", False), ("nobody", "", False)],
)
def test_model_is_ready_or_not(channel: grpc.Channel, name: str, number: str, *, ready: bool) -> None:
    """A model or version that is not there is not ready; to ask is no error."""
    assert ask(channel, oip.ModelReadyRequest(name=name, version=number)) == oip.ModelReadyResponse(ready=ready)


def test_server_says_who_it_is(channel: grpc.Channel) -> None:
    """The server's metadata are its name, its version and those of Triton's extensions that it was told to have."""
    answer = ask(channel, oip.ServerMetadataRequest())
    extensions = ["model_repository", "model_configuration", "schedule_policy", "sequence", "logging", "statistics"]
    assert answer == oip.ServerMetadataResponse(name="hondo", version=version("hondo"), extensions=extensions)


def test_model_is_described(channel: grpc.Channel) -> None:
    """A model's metadata are its versions and its tensors, with -1 for what a request chooses."""
    tensor = oip.ModelMetadataResponse.TensorMetadata
    assert ask(channel, oip.ModelMetadataRequest(name="side")) == oip.ModelMetadataResponse(
        name="side",
        versions=["1", "2"],
        platform="onnxruntime_onnx",
        inputs=[tensor(name="image", datatype="UINT8", shape=[-1, 8, 8, 1])],
        outputs=[tensor(name="probabilities", datatype="FP32", shape=[-1, 4])],
    )
    described = ask(channel, oip.ModelMetadataRequest(name="join", version="1"))
    assert isinstance(described, oip.ModelMetadataResponse)
    assert [(each.name, each.datatype, list(each.shape)) for each in (*described.inputs, *described.outputs)] == [
        ("name", "BYTES", [-1, 2]),
        ("number", "INT64", [-1, 2]),
        ("text", "BYTES", [-1, 2]),
        ("double", "INT64", [-1, 2]),
    ]


@pytest.mark.parametrize("datatype", VALUES)
def test_raw_contents_come_back_raw(channel: grpc.Channel, datatype: str) -> None:
    """Raw contents of every datatype pass through the server bit by bit."""
    request = raw(datatype, [2, 3], VALUES[datatype])
    request.model_name = f"same_{datatype}"
    answer = infer(channel, request)
    (output,) = answer.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("y", datatype, [2, 3])
    assert not output.HasField("contents")
    assert list(answer.raw_output_contents) == [packed(datatype, VALUES[datatype])]


@pytest.mark.parametrize("datatype", CONTENTS)
def test_typed_contents_come_back_typed(channel: grpc.Channel, datatype: str) -> None:
    """Typed contents of every datatype that has them pass through the server unchanged, and come back typed."""
    request = typed(datatype, [2, 3], VALUES[datatype])
    request.model_name = f"same_{datatype}"
    answer = infer(channel, request)
    (output,) = answer.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("y", datatype, [2, 3])
    assert output.contents == request.inputs[0].contents
    assert not answer.raw_output_contents


def joined(*outputs: str) -> ModelInferRequest:
    """Gives a good request to the model of two inputs."""
    request = raw("BYTES", [1, 2], ["a", "größer"], "name")
    request.MergeFrom(raw("INT64", [1, 2], [1, -20], "number"))
    request.model_name = "join"
    request.outputs.extend(ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs)
    return request


def test_two_inputs_give_text_and_numbers(channel: grpc.Channel) -> None:
    """Strings and numbers go in and come out side by side."""
    answer = infer(channel, joined())
    assert [output.name for output in answer.outputs] == ["text", "double"]
    assert list(answer.raw_output_contents) == [packed("BYTES", ["a1", "größer-20"]), struct.pack("<2q", 2, -40)]


def test_inputs_come_in_any_order(channel: grpc.Channel) -> None:
    """Inputs are known by their names, and raw contents by the inputs' order in the request."""
    request = joined()
    request.inputs.reverse()
    request.raw_input_contents[:] = request.raw_input_contents[::-1]
    assert infer(channel, request).raw_output_contents == infer(channel, joined()).raw_output_contents


def test_requested_outputs_come_alone_in_their_order(channel: grpc.Channel) -> None:
    """Only the outputs that are asked for come, in the order in which they are asked for."""
    assert [output.name for output in infer(channel, joined("double")).outputs] == ["double"]
    assert [output.name for output in infer(channel, joined("double", "text")).outputs] == ["double", "text"]


def test_answer_says_what_answered(channel: grpc.Channel) -> None:
    """The answer names model and version, the newest unless asked otherwise, and gives the request's id back."""
    for asked, answered in (("", "2"), ("1", "1"), ("2", "2")):
        request = raw("UINT8", [4, 8, 8, 1], artifacts.samples().ravel().tolist(), "image")
        request.model_name, request.model_version, request.id = "side", asked, "request 7"
        answer = infer(channel, request)
        assert (answer.model_name, answer.model_version, answer.id) == ("side", answered, "request 7")
        probabilities_NK = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(4, 4)
        assert np.allclose(probabilities_NK, artifacts.probabilities(artifacts.samples()), atol=1e-6)


def spoiled(spoil: Callable[[ModelInferRequest], object]) -> ModelInferRequest:
    request = joined()
    spoil(request)
    return request


NOT_FOUND, INVALID = StatusCode.NOT_FOUND, StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (oip.ModelMetadataRequest(name="nobody"), NOT_FOUND, "there is no model 'nobody'; this server has add, "),
        (oip.ModelMetadataRequest(name="side", version="3"), NOT_FOUND, "has no version 3; this server has 2, 1"),
        (
            oip.ModelMetadataRequest(name="side", version="0"),
            NOT_FOUND,
            "has no version '0': versions are numbers from 1",
        ),
        (oip.ModelMetadataRequest(name="side", version="latest"), NOT_FOUND, "has no version 'latest'"),
        (oip.ModelMetadataRequest(name="side", version="-1"), NOT_FOUND, "has no version '-1'"),
        (oip.ModelMetadataRequest(name="side", version="٣"), NOT_FOUND, "has no version '٣'"),
        (oip.ModelMetadataRequest(name="side", version="9" * 5000), NOT_FOUND, "has no version '99999999999999999999'"),
        (oip.ModelMetadataRequest(), INVALID, "the model's name is empty"),
        (oip.ModelReadyRequest(), INVALID, "the model's name is empty"),
        (ModelInferRequest(), INVALID, "the model's name is empty"),
        (ModelInferRequest(model_name="nobody"), NOT_FOUND, "there is no model 'nobody'"),
        (ModelInferRequest(model_name="../side"), NOT_FOUND, "there is no model '../side'"),
        (ModelInferRequest(model_name="two"), StatusCode.FAILED_PRECONDITION, "several graphs (encode, step)"),
        (oip.ModelMetadataRequest(name="two"), StatusCode.FAILED_PRECONDITION, "several graphs (encode, step)"),
        (
            ModelInferRequest(model_name="join"),
            INVALID,
            "inputs: 'name', 'number' missing; the model takes 'name' BYTES",
        ),
        (spoiled(lambda request: request.inputs.pop()), INVALID, "raw_input_contents has 2 entries for 1 inputs"),
        (spoiled(lambda request: setattr(request.inputs[1], "name", "n")), INVALID, "inputs[1] 'n': no such input"),
        (
            spoiled(lambda request: setattr(request.inputs[1], "datatype", "INT32")),
            INVALID,
            "inputs[1] 'number': datatype 'INT32' came, 'INT64' expected",
        ),
        (
            spoiled(lambda request: request.inputs[1].shape.append(1)),
            INVALID,
            "inputs[1] 'number': shape [1, 2, 1] came, [-1, 2] expected (-1 stands for any size)",
        ),
        (
            spoiled(lambda request: request.inputs[1].shape.__setitem__(0, -1)),
            INVALID,
            "inputs[1] 'number': shape [-1, 2] came, [-1, 2] expected (-1 stands for any size)",
        ),
        (
            spoiled(lambda request: request.inputs[1].shape.__setitem__(0, 2**62)),
            INVALID,
            f"inputs[1] 'number': shape [{2**62}, 2] came, which is more than",
        ),
        (
            spoiled(lambda request: request.raw_input_contents.__setitem__(1, bytes(17))),
            INVALID,
            "inputs[1] 'number': 17 bytes came, its shape and datatype make 16",
        ),
        (
            spoiled(lambda request: request.raw_input_contents.__setitem__(0, b"\xff\xff\xff\xff")),
            INVALID,
            "inputs[0] 'name': the raw BYTES end in the middle of an element",
        ),
        (joined("sum"), INVALID, "outputs[0] 'sum': no such output; the model gives 'text' BYTES[-1, 2]"),
        (joined("text", "text"), INVALID, "outputs[1] 'text': came twice"),
    ],
)
def test_misfit_is_refused(channel: grpc.Channel, request_: Message, code: StatusCode, text: str) -> None:
    """What does not fit goes back with its status and a text that names the field, what came and what was expected."""
    refused, why = refusal(channel, request_)
    assert refused is code
    assert text in why


def test_axes_that_disagree_are_refused(channel: grpc.Channel) -> None:
    """Sizes that each input alone may have, but not together, are the caller's mistake, not the server's failure."""
    request = raw("FP32", [1, 3], [1.0] * 3, "a")
    request.MergeFrom(raw("FP32", [1, 2], [1.0] * 2, "b"))
    request.model_name = "add"
    assert refusal(channel, request) == (INVALID, "inputs: 'b' has 2 in dimension 1 (m), but 'a' has 3")


def test_what_the_graph_refuses_is_the_callers_mistake(channel: grpc.Channel) -> None:
    """An index beyond a table, which only the graph can know, is INVALID_ARGUMENT."""
    request = raw("INT64", [1], [3], "index")
    request.model_name = "pick"
    code, text = refusal(channel, request)
    assert code is INVALID
    assert "the graph does not take these tensors" in text


def parameter(value: bool | int | str) -> oip.InferParameter:
    match value:
        case bool():
            return oip.InferParameter(bool_param=value)
        case int():
            return oip.InferParameter(int64_param=value)
        case str():
            return oip.InferParameter(string_param=value)


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ("parameters", "sequence_id", 7),
        ("parameters", "sequence_id", "seven"),
        ("parameters", "sequence_start", True),
        ("parameters", "sequence_end", True),
        ("outputs[0].parameters", "classification", 3),
    ],
)
def test_parameter_that_asks_for_something_else_is_refused(
    channel: grpc.Channel, field: str, name: str, value: bool | int | str
) -> None:
    """Parameters that change what a request means are refused, not answered as if they were not there."""
    request = joined("text")
    parameters = {
        "parameters": request.parameters,
        "inputs[0].parameters": request.inputs[0].parameters,
        "outputs[0].parameters": request.outputs[0].parameters,
    }
    parameters[field][name].CopyFrom(parameter(value))
    why = "came, but the model declares no state" if "sequence" in name else "is not supported by this server"
    assert refusal(channel, request) == (INVALID, f"{field}: {name!r} {why}")


def test_other_parameters_do_no_harm(channel: grpc.Channel) -> None:
    """Parameters that say nothing, or nothing that matters here, are passed over."""
    request = joined("text")
    request.parameters["sequence_id"].CopyFrom(parameter(0))
    request.parameters["sequence_start"].CopyFrom(parameter(value=False))
    request.parameters["priority"].CopyFrom(parameter(3))
    request.outputs[0].parameters["classification"].CopyFrom(oip.InferParameter())
    assert list(infer(channel, request).raw_output_contents) == [packed("BYTES", ["a1", "größer-20"])]
