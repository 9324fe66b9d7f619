import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from protos.hondo_pb2 import ClassifyRequest
from protos.inference_pb2 import ModelInferRequest, ModelMetadataRequest
from protos.rpc import HONDO, INFERENCE
from tests.serving.asking import PATIENCE_S, call_of, infer, raw, refusal
from tests.serving.process import Process


def send(channel: grpc.Channel, method: str, data: bytes) -> grpc.StatusCode:
    """Sends bytes to a method, whatever they are; gives the status of the answer."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    try:
        call(data, timeout=PATIENCE_S)
    except grpc.RpcError as error:
        return call_of(error).code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("method", [*HONDO.methods, *INFERENCE.methods], ids=lambda method: method.full_name)
@pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff", b"\x0a\x02\xff\xfe", b"\x00", b"\x0b"])
def test_malformed_message_is_refused(channel: grpc.Channel, method: MethodDescriptor, data: bytes) -> None:
    """Bytes that are no message of the method's are INVALID_ARGUMENT, for every method."""
    status = send(channel, f"/{method.containing_service.full_name}/{method.name}", data)
    if data == b"\x0a\x02\xff\xfe" and not method.input_type.fields:
        assert status is grpc.StatusCode.OK  # an unknown field, to a message without any
    else:
        assert status is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "method", ["/hondo.v1.Hondo/Nothing", "/inference.GRPCInferenceService/ModelStreamInfer", "/a/b"]
)
def test_unknown_method_is_unimplemented(channel: grpc.Channel, method: str) -> None:
    """A method that is not there is UNIMPLEMENTED."""
    assert send(channel, method, b"") is grpc.StatusCode.UNIMPLEMENTED


def fragile(count: int) -> ModelInferRequest:
    request = raw("FP32", [count], [1.0] * count)
    request.model_name = "fragile"
    return request


def test_unforeseen_failure_is_told_to_the_log_alone(server: Process, channel: grpc.Channel) -> None:
    """What nobody foresaw is INTERNAL with a fixed text: traceback and message go to the log, not on the wire."""
    assert refusal(channel, fragile(5)) == (grpc.StatusCode.INTERNAL, "internal error; the server's log says more")
    log = server.log.read_text()
    assert "Traceback" in log
    assert "a_name_from_within" in log
    assert infer(channel, fragile(6)).outputs[0].shape == [2, 3]


def test_no_metadata_tells_more(channel: grpc.Channel) -> None:
    """A failed call carries nothing of the server's inside beside its text, either."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    with pytest.raises(grpc.RpcError) as raised:
        call(fragile(5).SerializeToString(), timeout=PATIENCE_S)
    failed = call_of(raised.value)
    told = repr((failed.initial_metadata(), failed.trailing_metadata()))
    assert "Traceback" not in told
    assert "a_name_from_within" not in told


@pytest.mark.parametrize("letter", ["x", "ß", "線", "\N{GRINNING FACE}", "\n", "\0", "'"])
def test_long_text_reaches_the_caller(channel: grpc.Channel, letter: str) -> None:
    """However long the name that came, and of whatever letters, the caller gets the right status, every time."""
    for request in (ModelMetadataRequest(name=letter * 50_000), ModelInferRequest(model_name=letter * 50_000)):
        for _ in range(8):  # gRPC drops answers with too large a header at random
            code, text = refusal(channel, request)
            assert code is grpc.StatusCode.NOT_FOUND
            assert "there is no model" in text


def test_message_over_the_limit_is_refused(channel: grpc.Channel) -> None:
    """A message larger than the server takes is RESOURCE_EXHAUSTED; the server and the connection live on."""
    code, text = refusal(channel, ClassifyRequest(images=[bytes(8 * 2**20)]))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in text
    assert infer(channel, fragile(6)).outputs[0].shape == [2, 3]


def test_message_within_the_limit_is_taken(server: Process) -> None:
    """The limit is the one that was asked for, beyond gRPC's usual 4 MiB, in both directions."""
    count = (8 * 2**20 - 1000) // 4
    request = raw("FP32", [1, count], [0.5] * count)
    request.model_name = "same_FP32"
    with grpc.insecure_channel(server.address, [("grpc.max_receive_message_length", -1)]) as channel:
        assert infer(channel, request).raw_output_contents == request.raw_input_contents
