"""Calls: each message is parsed, and each call answered or refused with the right status."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from hondo.errors import DeadlineExceeded, InvalidRequest
from protos.rpc import python_name, request_types
from serving.refusal import Refusal, abort

# How long a response may wait for its reader.
_PATIENCE_S: Final = 300.0

_Context = grpc.aio.ServicerContext[Any, Any]


def handler(service: ServiceDescriptor, implementation: object) -> grpc.GenericRpcHandler:
    """Gives the gRPC handler of a service whose methods `implementation` has, under their Python names.

    A method gives a message for a message; or messages, asynchronously, where the responses stream; for messages, where
    the requests stream too.
    """
    methods = {
        method.name: _handler(method, getattr(implementation, python_name(method.name)), request)
        for method, request in zip(service.methods, request_types(service).values(), strict=True)
    }
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _handler(
    method: MethodDescriptor, function: Callable[..., Any], request: type[Message]
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    match method.client_streaming, method.server_streaming:
        case False, False:
            return grpc.unary_unary_rpc_method_handler(_answer(function, request))
        case False, True:
            return grpc.unary_stream_rpc_method_handler(_answer_at_length(function, request))
        case True, True:
            return grpc.stream_stream_rpc_method_handler(_answer_stream(function, request))
        case streaming:
            raise ValueError(f"{method.full_name} streams {streaming}, which no service here does")


def _answer(
    method: Callable[[Message], Awaitable[Message]], request: type[Message]
) -> Callable[[bytes, _Context], Awaitable[bytes]]:
    """Wraps a method from message to message into one from bytes to bytes that never leaks an exception."""

    async def answer(data: bytes, context: _Context) -> bytes:
        try:
            return (await method(_parse(request, data))).SerializeToString()
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a status and the log the rest
            await _abort(context, error, request)

    return answer


def _answer_at_length(
    method: Callable[[Message], AsyncGenerator[Message]], request: type[Message]
) -> Callable[[bytes, _Context], Awaitable[None]]:
    """Wraps a method from message to messages likewise."""

    async def answer(data: bytes, context: _Context) -> None:
        try:
            async with aclosing(method(_parse(request, data))) as responses:
                async for response in responses:
                    await _write(context, response)
        except Exception as error:  # noqa: BLE001  as above
            await _abort(context, error, request)

    return answer


def _answer_stream(
    method: Callable[[AsyncIterable[Message]], AsyncGenerator[Message]], request: type[Message]
) -> Callable[[AsyncIterable[bytes], _Context], Awaitable[None]]:
    """Wraps a method from messages to messages likewise."""

    async def answer(messages: AsyncIterable[bytes], context: _Context) -> None:
        try:
            async with aclosing(method(_parsed(request, messages))) as responses:
                async for response in responses:
                    await context.write(response.SerializeToString())
        except Exception as error:  # noqa: BLE001  as above
            await _abort(context, error, request)

    return answer


async def _write(context: _Context, response: Message) -> None:
    """Sends a response; returns when the network has taken it, which it does only as the reader reads."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await context.write(response.SerializeToString())
    except TimeoutError:
        raise DeadlineExceeded(f"nothing was read of the responses for {_PATIENCE_S:g} s") from None


async def _abort(context: _Context, error: Exception, request: type[Message]) -> NoReturn:
    await abort(context, Refusal.of(error, request.DESCRIPTOR.full_name))


def _parse(request: type[Message], data: bytes) -> Message:
    try:
        return request.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message is not a valid {request.DESCRIPTOR.full_name}") from error


async def _parsed(request: type[Message], messages: AsyncIterable[bytes]) -> AsyncGenerator[Message]:
    async for data in messages:
        yield _parse(request, data)
