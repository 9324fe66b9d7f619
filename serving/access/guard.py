"""The guard: before a call is answered, who asks must be known, be let do this, and ask for no more than its share."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, cast

import grpc
import grpc.aio

from hondo.errors import PermissionDenied, Unauthenticated
from serving.access.limits import Limits
from serving.access.permission import OPEN, Permission, needed
from serving.access.tokens import Grant, Tokens
from serving.access.watched import Watched
from serving.refusal import Refusal, abort

_log = logging.getLogger(__name__)

_SCHEME: Final = "bearer"
# Whoever knocks all day long is not to fill the disk.
_LOG_EVERY_S: Final = 1.0

# grpc's class is generic in its stub alone.
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_Answered: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_Context = grpc.aio.ServicerContext[Any, Any]
_Function = Callable[[Any, _Context], Awaitable[Any]]


class Guard(grpc.aio.ServerInterceptor):
    """Stands before every method of a server."""

    def __init__(self, tokens: Watched[Tokens] | None, limits: Limits | None) -> None:
        self._tokens = tokens
        self._limits = limits
        self._quiet_until_s = 0.0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Answered]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Answered:
        """Gives what answers a call: the method, or what refuses it before any message is read."""
        method = handler_call_details.method
        if method in OPEN:
            return await continuation(handler_call_details)
        grant: Grant | None = None
        if self._tokens is not None:
            try:
                grant = allowed(self._tokens.value, _token(handler_call_details), needed(method), method)
            except (Unauthenticated, PermissionDenied) as error:
                return _refusing(self._noted(error, method), method)
        handler = await continuation(handler_call_details)
        if self._limits is None or handler is None:
            return handler
        return _limited(handler, self._limits, grant.name if grant else None)

    def _noted(self, error: Unauthenticated | PermissionDenied, method: str) -> Unauthenticated | PermissionDenied:
        if time.monotonic() >= self._quiet_until_s:
            self._quiet_until_s = time.monotonic() + _LOG_EVERY_S
            _log.warning("refused a call of %s: %s", method, error)
        return error


def allowed(tokens: Tokens, token: str | None, permission: Permission, what: str) -> Grant:
    """Gives the grant of a token that may do something.

    Raises:
        Unauthenticated: there is no token, or none such is known.
        PermissionDenied: it may not do this.
    """
    if token is None:
        raise Unauthenticated("no token came with the call: send `authorization: Bearer TOKEN` (HONDO_TOKEN, --token)")
    grant = tokens.find(token)
    if grant is None:
        raise Unauthenticated("the token is not known here, or not any more: ask the server's owner for one")
    if permission not in grant.permissions:
        raise PermissionDenied(f"{grant.name!r} lacks the permission {permission.value!r}, which {what} takes")
    return grant


def bearer(header: str | bytes | None) -> str | None:
    """Gives the token in an `authorization` header; None where there is none."""
    if not isinstance(header, str):
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == _SCHEME and token.strip() else None


def _token(details: grpc.HandlerCallDetails) -> str | None:
    pairs = details.invocation_metadata or ()
    return bearer(next((value for key, value in pairs if key == "authorization"), None))


def _refusing(error: Exception, method: str) -> _Handler:
    """Gives a handler that refuses; it streams, so that it need not wait for a message."""

    async def refuse(_requests: object, context: _Context) -> None:
        await abort(context, Refusal.of(error, method))

    return grpc.stream_stream_rpc_method_handler(refuse)


def _limited(handler: _Handler, limits: Limits, name: str | None) -> _Handler:
    """Gives a handler that does the same within a client's limits."""
    match handler.request_streaming, handler.response_streaming:
        case False, False:
            make, function = grpc.unary_unary_rpc_method_handler, handler.unary_unary
        case False, True:
            make, function = grpc.unary_stream_rpc_method_handler, handler.unary_stream
        case True, True:
            make, function = grpc.stream_stream_rpc_method_handler, handler.stream_stream
        case _:
            make, function = grpc.stream_unary_rpc_method_handler, handler.stream_unary
    counted = _counted(cast("_Function", function), limits, name)
    return make(counted, handler.request_deserializer, handler.response_serializer)


def _counted(function: _Function, limits: Limits, name: str | None) -> _Function:
    async def counted(request: object, context: _Context) -> object:
        try:
            call = limits.call(name or _address(context.peer()))
            call.__enter__()
        except Exception as error:  # noqa: BLE001  as in serving.calls
            await abort(context, Refusal.of(error, "counting a call"))
        try:
            return await function(request, context)
        finally:
            call.__exit__(None, None, None)

    return counted


def _address(peer: str) -> str:
    """Gives the address of ipv4:ADDRESS:PORT; a client's connections count together."""
    return peer.rpartition(":")[0]
