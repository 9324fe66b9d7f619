"""Calls: each is parsed, then answered or refused with the right status."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from hondo import retry
from hondo.errors import HondoError, InvalidRequest, Overloaded, status_of
from protos.rpc import python_name, request_types

_log = logging.getLogger(__name__)

# The status text travels percent-encoded, up to three characters a byte, in an HTTP/2 header; peers refuse more than
# 8 KiB of headers.
_MAX_TEXT_BYTES = 2000

_Context = grpc.aio.ServicerContext[Any, Any]


def handler(service: ServiceDescriptor, implementation: object) -> grpc.GenericRpcHandler:
    """Gives the gRPC handler of a service whose methods `implementation` has, under their Python names."""
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        name: grpc.unary_unary_rpc_method_handler(_answer(getattr(implementation, python_name(name)), request))
        for name, request in request_types(service).items()
    }
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _answer(
    method: Callable[[Message], Awaitable[Message]], request: type[Message]
) -> Callable[[bytes, _Context], Awaitable[bytes]]:
    """Wraps a method from message to message into one from bytes to bytes that never leaks an exception."""

    async def answer(data: bytes, context: _Context) -> bytes:
        try:
            return (await method(_parse(request, data))).SerializeToString()
        except Overloaded as error:
            await context.abort(status_of(error), str(error), retry.to_metadata(str(error), error.retry_after_s))
        except HondoError as error:
            await context.abort(status_of(error), _shortened(str(error)))
        except Exception:  # noqa: BLE001  whatever it is, the caller gets a status and the log the rest
            _log.exception("%s failed", request.DESCRIPTOR.full_name)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error; the server's log says more")

    return answer


def _parse(request: type[Message], data: bytes) -> Message:
    try:
        return request.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message is not a valid {request.DESCRIPTOR.full_name}") from error


def _shortened(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= _MAX_TEXT_BYTES else f"{data[:_MAX_TEXT_BYTES].decode('utf-8', 'ignore')} ..."
