"""The channel to a server: how it connects and asks again, and what its failed calls are raised as."""

import json
from typing import Final

import grpc
import grpc.aio

from hondo import retry
from hondo.errors import HondoError, Overloaded, Unavailable, from_status

# A server that stops answers CANCELLED, not UNAVAILABLE, to calls that it has not begun (grpc/grpc#41785). What the
# caller cancels is never made again.
AGAIN: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)

# Asking twice does no harm, so calls that met a server in the middle of a restart are made again.
_RETRY: Final = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": [code.name for code in AGAIN],
}
OPTIONS: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # By default a call with a request beyond 256 KiB is not made again.
    ("grpc.per_rpc_retry_buffer_size", 2**31 - 1),
    # A connection that meets a process just as it ends fails. After the default, 1 s, all attempts have been made.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": _RETRY}]})),
]


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    """Gives the status with which a call failed."""
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError), "every failed call has a code"
    return error.code()


def raised(error: grpc.RpcError, server: str) -> HondoError:
    """Gives the error that a caller gets for a call that failed."""
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError), "every failed call has a code"
    text = error.details() or error.code().name
    retry_after_s = retry.from_metadata(error.trailing_metadata() or ())
    if retry_after_s is not None:
        return Overloaded(text, retry_after_s)
    raised = from_status(error.code(), text)
    if isinstance(raised, Unavailable):
        return Unavailable(f"no server answers at {server} ({raised}): start one with `hondo serve models`")
    return raised
