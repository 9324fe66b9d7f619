"""Questions: the requests that a bench sends over and over, ready to go on the wire.

Legend: H height, W width, C channels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
import grpc.aio
import numpy as np
from numpy.typing import NDArray

from hondo import images
from hondo.artifact import Tensors
from hondo.errors import HondoError, from_status
from protos.manifest_pb2 import EdgeDetection, ImageInput

# Answers in a bench, one after the other, may take long on a large model.
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Pictures:
    """Picture files, and how the model wants them."""

    files: tuple[bytes, ...]
    # A detector of edges takes them as they are.
    spec: ImageInput | EdgeDetection

    def read(self, file: bytes) -> NDArray[np.uint8]:
        """Gives image_HWC of a file as the server does."""
        if isinstance(self.spec, ImageInput):
            return images.read(file, self.spec)
        return images.whole(images.decode(file), self.spec.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Requests of one method, all with the same number of rows."""

    # As on the wire: /package.Service/Method.
    method: str
    bodies: tuple[bytes, ...]
    rows: int
    # What the graph gets for each body.
    feeds: tuple[Tensors, ...]
    # Whether rows of several requests fit into one run of the graph.
    batches: bool
    # The files where the server decodes them itself.
    pictures: Pictures | None = None


def ask(server: str, method: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Asks a server at HOST:PORT one question after the other; gives its answers.

    Raises:
        HondoError: it refuses one.
    """
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server, options=options) as channel:
        call: Callable[..., bytes] = channel.unary_unary(method)
        try:
            return [call(body, timeout=_PATIENCE_S) for body in bodies]
        except grpc.RpcError as error:
            raise raised(error, server) from error


def raised(error: grpc.RpcError, server: str) -> HondoError:
    """Gives the error to raise for a call that failed."""
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError), "every failed call has a code"
    return from_status(error.code(), f"{server} answers {error.code().name}: {error.details()}")
