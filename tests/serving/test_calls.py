import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import MethodDescriptor

from protos.hondo_pb2 import ClassifyRequest, GenerateRequest, GenerateResponse
from protos.inference_pb2 import ModelInferRequest, ModelMetadataRequest
from protos.rpc import HONDO, INFERENCE, replies_async
from serving import calls
from serving.telemetry.course import Course
from serving.telemetry.witness import Witness
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
    "method", ["/hondo.v1.Hondo/Nothing", "/inference.GRPCInferenceService/RepositoryNothing", "/a/b"]
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


class _Endless:
    """A service whose streams have no end."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def generate(self, _request: GenerateRequest) -> AsyncGenerator[GenerateResponse]:
        try:
            while True:
                yield GenerateResponse(model="x" * 10_000)
        finally:
            self.left.set()

    def __getattr__(self, _name: str) -> None:
        """Has all other methods, none of which is called."""


async def _read_all(call: grpc.aio.UnaryStreamCall[GenerateRequest, GenerateResponse]) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_reader_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of which nothing is read for so long ends, as what writes it does, and its reader is told."""
    monkeypatch.setattr(calls, "_PATIENCE_S", 0.2)
    service = _Endless()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((calls.handler(HONDO, [service], Witness([])),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = replies_async(channel, HONDO, "Generate", GenerateResponse)(GenerateRequest())
        await call.read()
        async with asyncio.timeout(PATIENCE_S):
            await service.left.wait()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await _read_all(call)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert raised.value.details() == "nothing was read of the responses for 0.2 s"
    await server.stop(None)


class _Gone:
    """The context of a call whose connection broke before gRPC told the server so."""

    def time_remaining(self) -> None:
        """Gives no deadline."""

    async def write(self, _data: bytes) -> None:
        """Fails as gRPC's own does then."""
        raise grpc.aio.InternalError("Failed execute_batch")


async def test_answer_to_a_caller_who_has_left_is_no_failure(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that breaks while an answer is written ends as cancelled, and the log has nothing to say of it."""
    monkeypatch.setattr(calls, "_CANCEL_S", 0.05)
    service, ended = _Endless(), list[Course]()
    handler = calls.handler(HONDO, [service], Witness([ended.append]))
    details = SimpleNamespace(method="/hondo.v1.Hondo/Generate", invocation_metadata=())
    method: Any = handler.service(cast("grpc.HandlerCallDetails", details))
    assert method is not None
    with pytest.raises(asyncio.CancelledError):
        await method.unary_stream(b"", _Gone())
    assert service.left.is_set()
    assert [course.code for course in ended] == [grpc.StatusCode.CANCELLED]
    assert not caplog.records
