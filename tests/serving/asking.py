"""Calls to a server, message by message: what the tests of the services share."""

from collections.abc import Sequence
from typing import cast

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from protos.inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.rpc import HONDO, INFERENCE, unary
from tests.serving.values import CONTENTS, on_the_wire, packed

# Nothing here computes for long: a call that takes this many seconds hangs.
PATIENCE_S = 20

_SERVICES = {
    method.input_type.full_name: (service, method)
    for service in (HONDO, INFERENCE)
    for method in service.methods
    if not method.client_streaming
}


def ask(channel: grpc.Channel, request: Message) -> Message:
    """Sends a request to the method that takes it; gives the answer."""
    service, method = _SERVICES[request.DESCRIPTOR.full_name]
    response = GetMessageClass(method.output_type)
    answer: Message = unary(channel, service, method.name, response)(request, timeout=PATIENCE_S)
    return answer


def infer(channel: grpc.Channel, request: ModelInferRequest) -> ModelInferResponse:
    """Runs a model."""
    answer = ask(channel, request)
    assert isinstance(answer, ModelInferResponse)
    return answer


def call_of(error: grpc.RpcError) -> grpc.Call:
    """Gives the call that failed: every error of a call is the call itself, which the types do not say."""
    return cast("grpc.Call", error)


def refusal(channel: grpc.Channel, request: Message) -> tuple[grpc.StatusCode, str]:
    """Gives the status and the text with which a request is refused."""
    with pytest.raises(grpc.RpcError) as raised:
        ask(channel, request)
    failed = call_of(raised.value)
    return failed.code(), failed.details() or ""


def raw(datatype: str, shape: Sequence[int], values: Sequence[object], name: str = "x") -> ModelInferRequest:
    """Gives a request of one input with raw contents; the model's name is the caller's to add."""
    inputs = [ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=shape)]
    return ModelInferRequest(inputs=inputs, raw_input_contents=[packed(datatype, values)])


def typed(datatype: str, shape: Sequence[int], values: Sequence[object], name: str = "x") -> ModelInferRequest:
    """Gives a request of one input with typed contents; the model's name is the caller's to add."""
    tensor = ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=shape)
    getattr(tensor.contents, CONTENTS[datatype]).extend(on_the_wire(datatype, values))
    return ModelInferRequest(inputs=[tensor])
