"""A disk that is full: while exporting, and where the log goes."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
import pytest

from hondo.client import Client
from hondo.errors import Unavailable
from tests.faults.vitals import await_so, check_well
from tests.serving import writers
from tests.serving.process import hondo, serving
from tests.serving.requests import PICTURES
from tests.serving.swaps import LOOKS, OWN, newest, publish

# The size of the small disk; what the models on it leave free is filled but for some blocks.
_DISK: Final = "2m"
_FREE_BYTES: Final = 16 * 1024
# Where no disk can be mounted, a file may have so many blocks of 512 bytes: golden samples have more.
_BLOCKS: Final = 16


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mounts a small disk there, if this user may; says whether that is so."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "hondo-faults", str(folder)]
    try:
        is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Fills the disk but for a little."""
    filling = folder / "filling"
    stats = os.statvfs(folder)
    filling.write_bytes(bytes(stats.f_bavail * stats.f_frsize - _FREE_BYTES))
    return filling


def test_export_on_a_full_disk_publishes_nothing(tmp_path: Path) -> None:
    """`hondo export` says in a line that there is no room, exits with 1, and leaves the folder as it was.

    A server that watches the folder goes on, and serves what comes once there is room.
    """
    disk = tmp_path / "disk"
    with small_disk(disk) as is_mounted:
        models = disk / "models"
        publish(models, 1)
        writers.write_writer(models)
        with (
            serving(models, tmp_path / "log", *LOOKS) as server,
            grpc.insecure_channel(server.address, options=OWN) as channel,
        ):
            command = hondo("export", "sobel", "--to", models)
            if is_mounted:
                filling = fill(disk)
            else:
                command = ["sh", "-c", f'ulimit -f {_BLOCKS} && exec "$@"', "sh", *command]
            before = sorted(models.rglob("*"))
            ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            assert ended.returncode == 1
            assert ("No space left on device" if is_mounted else "File too large") in ended.stderr
            assert ended.stderr.startswith("Error: ")
            assert ended.stderr.count("\n") == 1
            assert sorted(models.rglob("*")) == before
            if is_mounted:
                filling.unlink()
            publish(models, 2)
            await_so(lambda: newest(channel) == 2, "what was published is not served")
            check_well(server.address)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_log_that_cannot_be_written_stops_no_answer(models: Path) -> None:
    """A server none of whose log lines can be written, errors among them, answers right and loads what is new."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = hondo("serve", models, "--port", str(port), "--metrics-port", "0", "--log-requests", *LOOKS)
    with Path("/dev/full").open("wb") as full, subprocess.Popen(command, stdout=full, stderr=full) as server:
        try:
            with Client(f"127.0.0.1:{port}") as client:
                await_so(lambda: _version(client) == 1, "it does not come up")
                publish(models, 2)
                await_so(lambda: _version(client) == 2, "the new version is not served")
            check_well(f"127.0.0.1:{port}")
        finally:
            server.terminate()
        # Python ends with 120 where it could not write what its streams still held.
        assert server.wait(30) in {0, 120}


def _version(client: Client) -> int:
    """Asks about a picture; gives the version that answered, 0 where nobody does."""
    try:
        return client.classify([PICTURES[0]], model="side").version
    except Unavailable:
        return 0
