"""RPC methods from the services' own descriptors: what generated stubs would say, without their version demands."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from protos import hondo_pb2, inference_pb2

HONDO: ServiceDescriptor = hondo_pb2.DESCRIPTOR.services_by_name["Hondo"]
INFERENCE: ServiceDescriptor = inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]

Response = TypeVar("Response", bound=Message)


def python_name(method: str) -> str:
    """Gives the Python name of an RPC method: `ListModels` is `list_models`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower()


def request_types(service: ServiceDescriptor) -> dict[str, type[Message]]:
    """Gives the request message of every method of a service, by the method's name on the wire."""
    return {method.name: GetMessageClass(method.input_type) for method in service.methods}


def unary(
    channel: grpc.Channel, service: ServiceDescriptor, method: str, response: type[Response]
) -> Callable[..., Response]:
    """Gives the callable of a unary method on a blocking channel."""
    call: Callable[..., Response] = channel.unary_unary(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return call


def unary_async(
    channel: grpc.aio.Channel, service: ServiceDescriptor, method: str, response: type[Response]
) -> grpc.aio.UnaryUnaryMultiCallable[Any, Response]:
    """Gives the callable of a unary method on an asyncio channel."""
    return channel.unary_unary(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )


def stream(
    channel: grpc.Channel, service: ServiceDescriptor, method: str, response: type[Response]
) -> "grpc.StreamStreamMultiCallable[Any, Response]":
    """Gives the callable of a method that streams both ways, on a blocking channel."""
    return channel.stream_stream(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )


def stream_async(
    channel: grpc.aio.Channel, service: ServiceDescriptor, method: str, response: type[Response]
) -> grpc.aio.StreamStreamMultiCallable[Any, Response]:
    """Gives the callable of a method that streams both ways, on an asyncio channel."""
    return channel.stream_stream(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )


def replies(
    channel: grpc.Channel, service: ServiceDescriptor, method: str, response: type[Response]
) -> "grpc.UnaryStreamMultiCallable[Any, Response]":
    """Gives the callable of a method whose responses stream, on a blocking channel."""
    return channel.unary_stream(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )


def replies_async(
    channel: grpc.aio.Channel, service: ServiceDescriptor, method: str, response: type[Response]
) -> grpc.aio.UnaryStreamMultiCallable[Any, Response]:
    """Gives the callable of a method whose responses stream, on an asyncio channel."""
    return channel.unary_stream(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
