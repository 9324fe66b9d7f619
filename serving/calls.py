"""Calls: each message is parsed, and each call answered or refused with the right status."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from hondo.errors import DeadlineExceeded, InvalidRequest
from protos.rpc import python_name, request_types
from serving.refusal import Refusal, abort
from serving.telemetry.course import REQUEST_ID, Context, Course
from serving.telemetry.witness import Witness

Parsed = TypeVar("Parsed", bound=Message)

# How long a response may wait for its reader.
_PATIENCE_S: Final = 300.0
# How long gRPC may take to cancel a call that is over, seconds.
_CANCEL_S: Final = 5.0

# Says how an error is told that a message led to; of bytes that are no message, there is none.
Refuse = Callable[[Exception, str, Message | None], Refusal]


def as_it_is(error: Exception, what: str, _message: Message | None) -> Refusal:
    """Tells an error in Hondo's own words."""
    return Refusal.of(error, what)


def handler(
    service: ServiceDescriptor, implementations: Sequence[object], witness: Witness, refuse: Refuse = as_it_is
) -> grpc.GenericRpcHandler:
    """Gives the gRPC handler of a service, each of whose methods one of `implementations` has, under its Python name.

    A method gives a message for a message; or messages, asynchronously, where the responses stream; for messages, where
    the requests stream too.
    """
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
    for method, request in zip(service.methods, request_types(service).values(), strict=True):
        name = python_name(method.name)
        function = next(getattr(each, name) for each in implementations if hasattr(each, name))
        methods[method.name] = _handler(method, function, _Answering(method.name, request, witness, refuse))
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _handler(
    method: MethodDescriptor, function: Callable[..., Any], answering: "_Answering"
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    match method.client_streaming, method.server_streaming:
        case False, False:
            return grpc.unary_unary_rpc_method_handler(answering.once(function))
        case False, True:
            return grpc.unary_stream_rpc_method_handler(answering.at_length(function))
        case True, True:
            return grpc.stream_stream_rpc_method_handler(answering.stream(function))
        case streaming:
            raise ValueError(f"{method.full_name} streams {streaming}, which no service here does")


class _Answering:
    """Wraps what answers messages into what answers bytes and never leaks an exception, each request watched."""

    def __init__(self, method: str, request: type[Message], witness: Witness, refuse: Refuse) -> None:
        self._method = method
        self._request = request
        self._witness = witness
        self._refuse = refuse

    def once(self, function: Callable[[Message], Awaitable[Message]]) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """Wraps a method from message to message."""

        async def answer(data: bytes, context: Context) -> bytes:
            course = self._witness.begin(self._method, context)
            try:
                course.message = parse(self._request, data)
                answered = (await function(course.message)).SerializeToString()
            except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a status and the log the rest
                await self._abort(course, context, error)
            except asyncio.CancelledError:
                _leave(course)
                raise
            course.end()
            return answered

        return answer

    def at_length(
        self, function: Callable[[Message], AsyncGenerator[Message]]
    ) -> Callable[[bytes, Context], Awaitable[None]]:
        """Wraps a method from message to messages."""

        async def answer(data: bytes, context: Context) -> None:
            course = self._witness.begin(self._method, context)
            try:
                course.message = parse(self._request, data)
                async with aclosing(function(course.message)) as responses:
                    async for response in responses:
                        course.first_message_s = course.first_message_s or time.monotonic()
                        await _write(context, response)
            except Exception as error:  # noqa: BLE001  as above
                await self._abort(course, context, error)
            except asyncio.CancelledError:
                _leave(course)
                raise
            course.end()

        return answer

    def stream(
        self, function: Callable[[AsyncIterable[Message]], AsyncGenerator[Message]]
    ) -> Callable[[AsyncIterable[bytes], Context], Awaitable[None]]:
        """Wraps a method from messages to messages, of which each has a course of its own (`serving.streams`)."""

        async def answer(messages: AsyncIterable[bytes], context: Context) -> None:
            course = self._witness.begin(self._method, context)
            try:
                async with aclosing(function(_parsed(self._request, messages))) as responses:
                    async for response in responses:
                        await _send(context, response)
            except Exception as error:  # noqa: BLE001  as above
                await self._abort(course, context, error)

        return answer

    async def _abort(self, course: Course, context: Context, error: Exception) -> NoReturn:
        refusal = self._refuse(error, self._request.DESCRIPTOR.full_name, course.message)
        course.end()
        await abort(context, refusal, (REQUEST_ID, _as_header(course.request_id)))


def _as_header(text: str) -> str:
    """Gives a text in the letters that gRPC takes in a header."""
    return text.encode("ascii", "backslashreplace").decode()


def _leave(course: Course) -> None:
    course.cancelled()
    course.end()


async def _write(context: Context, response: Message) -> None:
    """Sends a response; returns when the network has taken it, which it does only as the reader reads."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await _send(context, response)
    except TimeoutError:
        raise DeadlineExceeded(f"nothing was read of the responses for {_PATIENCE_S:g} s") from None


async def _send(context: Context, response: Message) -> None:
    """Hands a response to gRPC; where the caller has left, the call ends as one that gRPC cancels for it."""
    try:
        await context.write(response.SerializeToString())
    except grpc.aio.InternalError:
        # gRPC is about to cancel it. To end before that would tell a caller whose time is just over that it cancelled.
        await asyncio.sleep(_CANCEL_S)
        raise asyncio.CancelledError from None


def parse(request: type[Parsed], data: bytes) -> Parsed:
    """Gives a message from its bytes.

    Raises:
        InvalidRequest: they are none such.
    """
    try:
        return request.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message is not a valid {request.DESCRIPTOR.full_name}") from error


async def _parsed(request: type[Message], messages: AsyncIterable[bytes]) -> AsyncGenerator[Message]:
    async for data in messages:
        yield parse(request, data)
