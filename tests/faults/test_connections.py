"""Idle connections up to the file limit, and beyond it."""

import re
import resource
import socket
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import grpc

from serving.bench.holdings import held
from tests.faults.vitals import await_back, check_well
from tests.serving.asking import call_of
from tests.serving.process import Process, serving
from tests.serving.swaps import OWN, classify, publish, under_load, wait_until

# What a connection costs the server at most, and what is kept of it for the next.
_CONNECTION_KB: Final = 48
# What the test's own process has open beside the connections.
_OWN: Final = 200


def connect(stack: ExitStack, address: str, count: int) -> list[socket.socket]:
    """Opens connections on which nothing is said."""
    host, _, port = address.rpartition(":")
    return [stack.enter_context(socket.create_connection((host, int(port)), timeout=20)) for _ in range(count)]


def is_open(connection: socket.socket) -> bool:
    """Says whether the server has kept a connection."""
    connection.setblocking(False)
    try:
        while data := connection.recv(4096):  # what a server says first
            assert data
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    return False


def healthz(server: Process) -> int:
    """Asks /healthz; gives the HTTP status."""
    found = re.search(r"metrics on (\S+)/metrics", server.log.read_text())
    assert found is not None
    with urllib.request.urlopen(f"{found[1]}/healthz", timeout=20) as answer:  # noqa: S310  our own server
        return int(answer.status)


def newcomer(address: str) -> str:
    """Asks on a new connection; gives the code that this ends with. Which of the server's sockets has it, is chance."""
    with grpc.insecure_channel(address, options=OWN) as channel:
        try:
            classify(channel, 0)
        except grpc.RpcError as error:
            return call_of(error).code().name
    return "OK"


def test_connections_beyond_the_limit_are_closed(models: Path, tmp_path: Path) -> None:
    """With a limit of 400 files and 900 connections, 200 are kept and the others closed at once.

    Who is connected is answered, /healthz as well, and a new version is loaded: files are left for that. Whoever comes
    then is told UNAVAILABLE, and is served as soon as others have gone.
    """
    limits, watching = "ulimit -n 400", ("--watch", "--watch-seconds", "0.05")
    with (
        serving(models, tmp_path / "log", *watching, before=limits) as server,
        grpc.insecure_channel(server.address, options=OWN) as channel,
    ):
        assert classify(channel, 0) == 1
        before = held(server.popen.pid)
        with ExitStack() as stack:
            connections = connect(stack, server.address, 900)
            wait_until(lambda: sum(map(is_open, connections)) <= 200)
            assert held(server.popen.pid).file_handles < 300
            for picture in range(4):
                assert classify(channel, picture) == 1
            assert healthz(server) == 200
            publish(models, 2)
            wait_until(lambda: classify(channel, 0) == 2)
            assert "UNAVAILABLE" in [newcomer(server.address) for _ in range(64)]
        await_back(server, before)
        check_well(server.address)


def test_ten_thousand_idle_connections(models: Path, tmp_path: Path) -> None:
    """10,000 connections that say nothing, or as many as the system allows here, hold up nobody; all comes back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10_000, hard - 2 * _OWN)
    try:
        with serving(models, tmp_path / "log") as server, ExitStack() as stack:
            check_well(server.address)
            before = held(server.popen.pid)
            with under_load(server.address):
                connections = connect(stack, server.address, count)
                wait_until(lambda: held(server.popen.pid).file_handles > 0.95 * count)
            check_well(server.address)
            assert held(server.popen.pid).resident_kb < before.resident_kb + count * _CONNECTION_KB + 16 * 1024
            for connection in connections:
                connection.close()
            await_back(server, before, more_kb=count * _CONNECTION_KB)
            check_well(server.address)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
