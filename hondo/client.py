"""The typed client of `hondo.v1`, blocking and asyncio: `with Client() as client: client.classify(["cat.jpg"])`."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import grpc
import grpc.aio

from hondo import retry
from hondo.errors import HondoError, Overloaded, Unavailable, from_status
from protos.hondo_pb2 import (
    ClassifyRequest,
    ClassifyResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    Model,
)
from protos.rpc import HONDO, unary, unary_async

DEFAULT_SERVER: Final = "127.0.0.1:8001"
DEFAULT_TIMEOUT_S: Final = 30.0

# A picture: the bytes of a file, or the path of one.
Picture = bytes | str | os.PathLike[str]

# Asking twice does no harm, so calls that met a server in the middle of a restart are made again.
_RETRY: Final = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    # A server that stops answers CANCELLED, not UNAVAILABLE, to calls that it has not begun (grpc/grpc#41785). What the
    # caller cancels is never made again.
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}
_OPTIONS: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # By default a call with a request beyond 256 KiB is not made again.
    ("grpc.per_rpc_retry_buffer_size", 2**31 - 1),
    # A connection that meets a process just as it ends fails. After the default, 1 s, all attempts have been made.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": _RETRY}]})),
]


class Client:
    """A blocking client, safe to use from several threads.

    Every method raises what `hondo.errors` lists: InvalidRequest, ModelNotFound, WrongTask, Unavailable, ...
    """

    def __init__(self, server: str = DEFAULT_SERVER, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._channel = grpc.insecure_channel(server, options=_OPTIONS)
        self._classify = unary(self._channel, HONDO, "Classify", ClassifyResponse)
        self._list_models = unary(self._channel, HONDO, "ListModels", ListModelsResponse)
        self._get_model = unary(self._channel, HONDO, "GetModel", GetModelResponse)

    def classify(
        self, images: Sequence[Picture], *, model: str = "", version: int = 0, top_k: int = 5
    ) -> ClassifyResponse:
        """Names what is in pictures.

        Args:
            images: picture files (PNG, JPEG, WebP, BMP, GIF or TIFF), as bytes or paths; at least one.
            model: name of the classifier; may be left out where the server has only one.
            version: 0 asks for the newest.
            top_k: how many labels for each picture, best first.
        """
        try:
            return self._classify(_classify_request(images, model, version, top_k), timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _raised(error, self._server) from error

    def list_models(self) -> Sequence[Model]:
        """Lists every version of every model served, sorted by name, newest version first."""
        try:
            return self._list_models(ListModelsRequest(), timeout=self._timeout_s).models
        except grpc.RpcError as error:
            raise _raised(error, self._server) from error

    def get_model(self, model: str, version: int = 0) -> Model:
        """Describes a model; version 0 is the newest."""
        try:
            return self._get_model(GetModelRequest(model=model, version=version), timeout=self._timeout_s).model
        except grpc.RpcError as error:
            raise _raised(error, self._server) from error

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """The same client for asyncio; make it inside the event loop that uses it."""

    def __init__(self, server: str = DEFAULT_SERVER, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._channel = grpc.aio.insecure_channel(server, options=_OPTIONS)
        self._classify = unary_async(self._channel, HONDO, "Classify", ClassifyResponse)
        self._list_models = unary_async(self._channel, HONDO, "ListModels", ListModelsResponse)
        self._get_model = unary_async(self._channel, HONDO, "GetModel", GetModelResponse)

    async def classify(
        self, images: Sequence[Picture], *, model: str = "", version: int = 0, top_k: int = 5
    ) -> ClassifyResponse:
        """Names what is in pictures: see `Client.classify`."""
        try:
            return await self._classify(_classify_request(images, model, version, top_k), timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _raised(error, self._server) from error

    async def list_models(self) -> Sequence[Model]:
        """Lists every version of every model served: see `Client.list_models`."""
        try:
            return (await self._list_models(ListModelsRequest(), timeout=self._timeout_s)).models
        except grpc.RpcError as error:
            raise _raised(error, self._server) from error

    async def get_model(self, model: str, version: int = 0) -> Model:
        """Describes a model: see `Client.get_model`."""
        try:
            request = GetModelRequest(model=model, version=version)
            return (await self._get_model(request, timeout=self._timeout_s)).model
        except grpc.RpcError as error:
            raise _raised(error, self._server) from error

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _classify_request(images: Sequence[Picture], model: str, version: int, top_k: int) -> ClassifyRequest:
    if isinstance(images, bytes | str):
        raise TypeError("images is a sequence of pictures: classify([picture])")
    files = [image if isinstance(image, bytes) else Path(image).read_bytes() for image in images]
    return ClassifyRequest(model=model, version=version, images=files, top_k=top_k)


def _raised(error: grpc.RpcError, server: str) -> HondoError:
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError), "every failed call has a code"
    text = error.details() or error.code().name
    retry_after_s = retry.from_metadata(error.trailing_metadata() or ())
    if retry_after_s is not None:
        return Overloaded(text, retry_after_s)
    raised = from_status(error.code(), text)
    if isinstance(raised, Unavailable):
        return Unavailable(f"no server answers at {server} ({raised}): start one with `hondo serve models`")
    return raised
