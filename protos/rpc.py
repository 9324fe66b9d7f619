"""RPC methods from the services' own descriptors: what generated stubs would say, without their version demands."""

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from protos import hondo_pb2, inference_pb2

HONDO: ServiceDescriptor = hondo_pb2.DESCRIPTOR.services_by_name["Hondo"]
INFERENCE: ServiceDescriptor = inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]

Response = TypeVar("Response", bound=Message)
Method = TypeVar("Method", bound=Callable[..., Any])
# What goes with a call beside the message.
Metadata = tuple[tuple[str, str], ...]


def python_name(method: str) -> str:
    """Gives the Python name of an RPC method: `ListModels` is `list_models`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower()


def request_types(service: ServiceDescriptor) -> dict[str, type[Message]]:
    """Gives the request message of every method of a service, by the method's name on the wire."""
    return {method.name: GetMessageClass(method.input_type) for method in service.methods}


def unary(
    channel: grpc.Channel,
    service: ServiceDescriptor,
    method: str,
    response: type[Response],
    metadata: Metadata = (),
) -> Callable[..., Response]:
    """Gives the callable of a unary method on a blocking channel."""
    call: Callable[..., Response] = channel.unary_unary(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return _with(call, metadata)


def unary_async(
    channel: grpc.aio.Channel,
    service: ServiceDescriptor,
    method: str,
    response: type[Response],
    metadata: Metadata = (),
) -> grpc.aio.UnaryUnaryMultiCallable[Any, Response]:
    """Gives the callable of a unary method on an asyncio channel."""
    call: grpc.aio.UnaryUnaryMultiCallable[Any, Response] = channel.unary_unary(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return _with(call, metadata)


def stream(
    channel: grpc.Channel,
    service: ServiceDescriptor,
    method: str,
    response: type[Response],
    metadata: Metadata = (),
) -> "grpc.StreamStreamMultiCallable[Any, Response]":
    """Gives the callable of a method that streams both ways, on a blocking channel."""
    call: grpc.StreamStreamMultiCallable[Any, Response] = channel.stream_stream(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return _with(call, metadata)


def stream_async(
    channel: grpc.aio.Channel,
    service: ServiceDescriptor,
    method: str,
    response: type[Response],
    metadata: Metadata = (),
) -> grpc.aio.StreamStreamMultiCallable[Any, Response]:
    """Gives the callable of a method that streams both ways, on an asyncio channel."""
    call: grpc.aio.StreamStreamMultiCallable[Any, Response] = channel.stream_stream(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return _with(call, metadata)


def replies(
    channel: grpc.Channel,
    service: ServiceDescriptor,
    method: str,
    response: type[Response],
    metadata: Metadata = (),
) -> "grpc.UnaryStreamMultiCallable[Any, Response]":
    """Gives the callable of a method whose responses stream, on a blocking channel."""
    call: grpc.UnaryStreamMultiCallable[Any, Response] = channel.unary_stream(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return _with(call, metadata)


def replies_async(
    channel: grpc.aio.Channel,
    service: ServiceDescriptor,
    method: str,
    response: type[Response],
    metadata: Metadata = (),
) -> grpc.aio.UnaryStreamMultiCallable[Any, Response]:
    """Gives the callable of a method whose responses stream, on an asyncio channel."""
    call: grpc.aio.UnaryStreamMultiCallable[Any, Response] = channel.unary_stream(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return _with(call, metadata)


def _with(method: Method, metadata: Metadata) -> Method:
    """Gives a method whose every call carries metadata."""
    return cast("Method", functools.partial(method, metadata=metadata)) if metadata else method
