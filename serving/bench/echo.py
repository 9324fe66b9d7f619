"""An empty gRPC server: what grpc.aio carries in one process of this machine when nothing is behind it.

It takes the same requests and gives the same answer back that the served model gave, whatever the request: the bytes on
the wire are those of the bench, the work is none.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import grpc
import grpc.aio


@contextmanager
def echoing(method: str, answer: bytes) -> Iterator[str]:
    """Runs such a server in a process of its own; gives its HOST:PORT.

    Args:
        method: /package.Service/Method of the calls.
        answer: the message that answers them.
    """
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_run, args=(theirs, method, answer), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()
        ours.close()


def _run(pipe: "Connection[int, Any]", method: str, answer: bytes) -> None:
    asyncio.run(_serve(pipe, method, answer))


async def _serve(pipe: "Connection[int, Any]", method: str, answer: bytes) -> None:
    async def echo(_request: bytes, _context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        return answer

    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
    _, service, name = method.split("/")
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {name: grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    pipe.send(port)
    await server.wait_for_termination()
