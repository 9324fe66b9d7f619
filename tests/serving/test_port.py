"""The port that several processes share."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hondo.errors import Unavailable
from serving.port import reserved

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over processes")

HOST = "127.0.0.1"


def listening(port: int, *, shared: bool) -> socket.socket:
    """Gives a listening socket as a gRPC server opens it."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
    try:
        server.bind((HOST, port))
    except OSError:
        server.close()
        raise
    server.listen()
    return server


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is reserved."""
    with reserved(HOST, 0) as port:
        yield port


def test_connections_land_on_listeners_only(port: int) -> None:
    """Of many connections, none lands on the socket that keeps the port."""
    with listening(port, shared=True) as server, ExitStack() as clients:
        for _ in range(100):
            clients.enter_context(socket.create_connection((HOST, port), timeout=10))
            server.settimeout(10)
            clients.enter_context(server.accept()[0])


def test_nobody_answers_where_nobody_listens(port: int) -> None:
    """A reserved port without a listener refuses connections; it does not leave them hanging."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), timeout=10)


def test_port_is_kept_while_nobody_listens(port: int) -> None:
    """Between two listeners that share the port, another server cannot take it."""
    listening(port, shared=True).close()
    with pytest.raises(OSError, match="in use"):
        listening(port, shared=False)
    listening(port, shared=True).close()


@pytest.mark.parametrize("shared", [False, True])
def test_port_of_another_server_is_refused(*, shared: bool) -> None:
    """A port on which any server listens is refused, also when that one would share it."""
    with listening(0, shared=shared) as server:
        port = server.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on {HOST}:{port}"), reserved(HOST, port):
            pass


def test_port_reserved_elsewhere_is_refused(port: int) -> None:
    """Two supervisors do not get the same port."""
    with pytest.raises(Unavailable), reserved(HOST, port):
        pass


def test_connections_of_the_past_do_not_matter() -> None:
    """A port is free again at once, though the kernel remembers the connections that the last server closed."""
    with listening(0, shared=False) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port), timeout=10) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
    with reserved(HOST, port) as again:
        assert again == port


@pytest.mark.parametrize("host", ["nosuch.invalid", "192.0.2.1"])
def test_hosts_that_are_not_here_are_refused(host: str) -> None:
    """A host that does not exist, or is another machine, is refused with the same text as a taken port."""
    with pytest.raises(Unavailable, match=f"cannot listen on {host}:0"), reserved(host, 0):
        pass


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where connections are not spread over the processes of a port, there is one process or none."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unavailable, match="--workers 1"), reserved(HOST, 0):
        pass
