"""Whatever is thrown at a server, it refuses properly, stays up, and answers the next good request."""

import socket
from typing import Final

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from protos.hondo_pb2 import (
    ClassifyRequest,
    ClassifyResponse,
    ClassifyStreamResponse,
    DetectEdgesRequest,
    GenerateRequest,
    GenerateResponse,
)
from protos.inference_pb2 import ModelInferRequest
from protos.rpc import HONDO, INFERENCE, replies, stream
from tests.fuzz import frames
from tests.serving.artifacts import LABELS
from tests.serving.asking import PATIENCE_S, ask, call_of, infer
from tests.serving.process import Process
from tests.serving.requests import (
    CLASSIFY_REQUESTS,
    DETECT_REQUESTS,
    GENERATE_REQUESTS,
    PICTURES,
    damaged,
    infer_requests,
    joined,
)
from tests.serving.values import packed

# What a caller's mistake may be answered with; above all not INTERNAL, UNKNOWN or, for a hang, DEADLINE_EXCEEDED.
PROPER: Final = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,  # shared memory, of a server that uses none
    grpc.StatusCode.PERMISSION_DENIED,  # loading and unloading, of a server that lets nobody
}
METHODS: Final = [*HONDO.methods, *INFERENCE.methods]


@pytest.fixture(scope="module")
def channel(server: Process) -> grpc.Channel:
    """One connection for all that is thrown: a refusal must not end it."""
    return grpc.insecure_channel(server.address)


def check_good_requests(channel: grpc.Channel) -> None:
    """Holds that good requests get their right answers."""
    assert infer(channel, joined()).raw_output_contents[0] == packed("BYTES", ["a1", "größer-20"])
    answer = ask(channel, ClassifyRequest(images=PICTURES, top_k=1))
    assert isinstance(answer, ClassifyResponse)
    assert [result.labels[0].name for result in answer.results] == list(LABELS)


def check_refusal(error: grpc.RpcError) -> None:
    """Holds that an error is the caller's, and says why."""
    assert call_of(error).code() in PROPER, call_of(error).details()
    assert call_of(error).details()


@pytest.mark.parametrize("name", ["x-request-id", "traceparent", "authorization", "anything"])
def test_header_that_is_no_text_does_not_matter(server: Process, channel: grpc.Channel, name: str) -> None:
    """A header whose bytes are no text, which no library sends, changes no answer and writes nothing to the log."""
    logged = server.log.stat().st_size
    call = frames.call(1, "/hondo.v1.Hondo/GetModel", [b"\xff"], ((name, b"\xff\xfe"),))
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        connection.sendall(b"".join([*frames.opening(), *call]))
        answer = b""
        while b"the message is not a valid hondo.v1.GetModelRequest" not in answer:
            answer += (came := connection.recv(4096))
            assert came, answer
    check_good_requests(channel)
    assert server.log.read_bytes()[logged:] == b""


def throw(channel: grpc.Channel, request: Message) -> None:
    """Holds that a request is answered or properly refused, and the next good one answered."""
    try:
        ask(channel, request)
    except grpc.RpcError as error:
        check_refusal(error)
    check_good_requests(channel)


@given(request=infer_requests())
def test_spoiled_infer_request_is_refused(channel: grpc.Channel, request: ModelInferRequest) -> None:
    """However a ModelInfer request is spoiled, it is answered or refused as the caller's mistake."""
    throw(channel, request)


@given(request=CLASSIFY_REQUESTS)
def test_spoiled_classify_request_is_refused(channel: grpc.Channel, request: ClassifyRequest) -> None:
    """However a Classify request is spoiled, it is answered or refused as the caller's mistake."""
    throw(channel, request)


@given(request=DETECT_REQUESTS)
def test_spoiled_request_for_edges_is_refused(channel: grpc.Channel, request: DetectEdgesRequest) -> None:
    """However a DetectEdges request is spoiled, it is answered or refused as the caller's mistake."""
    throw(channel, request)


@given(requests=st.lists(CLASSIFY_REQUESTS, max_size=8))
def test_spoiled_stream_is_answered(channel: grpc.Channel, requests: list[ClassifyRequest]) -> None:
    """However the requests of a stream are spoiled, each is answered, by labels or as the caller's mistake."""
    method = stream(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)
    responses = list(method(iter(requests), timeout=PATIENCE_S))
    assert len(responses) == len(requests)
    for response in responses:
        if response.HasField("failure"):
            assert response.failure.code in {code.value[0] for code in PROPER}, response.failure.message
            assert response.failure.message
        else:
            assert response.answer.results


@given(request=GENERATE_REQUESTS)
def test_spoiled_generate_request_is_refused(channel: grpc.Channel, request: GenerateRequest) -> None:
    """However a Generate request is spoiled, it is answered in full or refused as the caller's mistake."""
    try:
        responses = list(replies(channel, HONDO, "Generate", GenerateResponse)(request, timeout=PATIENCE_S))
    except grpc.RpcError as error:
        check_refusal(error)
    else:
        ended = [each.continuation for response in responses for each in response.continued if each.HasField("ending")]
        assert sorted(ended) == list(range(request.continuations or 1))
    check_good_requests(channel)


@given(
    method=st.sampled_from(METHODS),
    data=st.one_of(
        st.binary(max_size=64), damaged(infer_requests()), damaged(CLASSIFY_REQUESTS), damaged(DETECT_REQUESTS)
    ),
)
def test_damaged_message_is_refused(channel: grpc.Channel, method: MethodDescriptor, data: bytes) -> None:
    """Whatever bytes a method gets, they are answered or refused as the caller's mistake."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            at_length: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path)
            for _ in at_length(data, timeout=PATIENCE_S):
                pass
        else:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
            call(data, timeout=PATIENCE_S)
    except grpc.RpcError as error:
        check_refusal(error)
    check_good_requests(channel)
