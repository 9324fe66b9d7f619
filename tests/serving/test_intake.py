"""What takes calls in: it is there again where gRPC ends it."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from tests.fuzz import frames
from tests.serving import artifacts, swaps
from tests.serving.asking import PATIENCE_S
from tests.serving.health import watch
from tests.serving.process import Process, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    """A server of one model, of which a version comes."""
    artifacts.write_classifier(tmp_path / "models", "side", 1, turn=1)
    with serving(tmp_path / "models", tmp_path / "log", *swaps.LOOKS) as process:
        yield process


def name_no_text(address: str) -> None:
    """Calls a method whose name is no text, on a connection of its own, and waits until that is over."""
    host, _, port = address.rpartition(":")
    with suppress(ConnectionError), socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        connection.sendall(b"".join([*frames.opening(), *frames.call(1, b"/hondo.v1.Hondo/\xff", [b""], ())]))
        answer = b""
        while b"grpc-status" not in answer and (came := connection.recv(4096)):
            answer += came


def test_method_whose_name_is_no_text_ends_nothing(server: Process) -> None:
    """However often methods are called whose names are no text, calls under way go on, and new ones are answered."""
    with grpc.insecure_channel(server.address, options=swaps.OWN) as channel:
        stream = watch(channel, "side/2")
        assert next(stream) == HealthCheckResponse.SERVICE_UNKNOWN
        for _ in range(32):
            name_no_text(server.address)
        swaps.publish(server.log.parent / "models", 2)
        assert HealthCheckResponse.SERVING in stream
    with grpc.insecure_channel(server.address, options=swaps.OWN) as channel:
        grpc.channel_ready_future(channel).result(PATIENCE_S)
        assert swaps.classify(channel, 0) == 2
    log = server.log.read_text()
    assert "Traceback" not in log
    assert 1 <= log.count("gRPC ended an intake") <= 4 * (1 + PATIENCE_S // 10)
