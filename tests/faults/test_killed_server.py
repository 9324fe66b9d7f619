"""SIGKILL of the server, in the middle of a reload."""

import hashlib
import re
import time
from contextlib import ExitStack
from pathlib import Path

import grpc

from hondo.client import Client
from tests.faults.vitals import check_well
from tests.serving.process import serving
from tests.serving.requests import PICTURES
from tests.serving.swaps import LOOKS, OWN, newest, publish, under_load

ROUNDS = 5


def files(models: Path) -> dict[str, str]:
    """Gives the hash of every file below a folder."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in models.rglob("*") if path.is_file()}


def test_a_server_killed_in_a_reload_comes_back_with_the_newest(models: Path, tmp_path: Path) -> None:
    """Killed at some moment between a new version's coming and its being served, it starts again at once.

    It takes the same port, serves the newest version, answers right, and has changed nothing in the folder. A client
    that knew the former one is served by it without a word.
    """
    with ExitStack() as stack:
        client, port = None, "0"
        for number in range(ROUNDS):
            with serving(models, tmp_path / f"log{number}", *LOOKS, "--port", port) as server:
                port = server.address.rpartition(":")[2]
                client = client or stack.enter_context(Client(server.address))
                assert client.classify([PICTURES[0]], model="side").version == number + 1
                with grpc.insecure_channel(server.address, options=OWN) as channel:
                    assert newest(channel) == number + 1
                check_well(server.address)
                publish(models, number + 2)
                there = files(models)
                # Two looks of 50 ms find it, then it is loaded.
                time.sleep(0.08 + 0.04 * number)
                server.popen.kill()
                server.popen.wait()
            assert files(models) == there
        with serving(models, tmp_path / "log", *LOOKS, "--port", port) as server:
            check_well(server.address)
            assert client is not None
            assert client.classify([PICTURES[0]], model="side").version == ROUNDS + 1
            with under_load(server.address):
                time.sleep(0.3)
            assert not re.search("refused|Traceback", server.log.read_text())
