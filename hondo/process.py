"""A server in a process of its own, for as long as one needs it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from hondo.access import Access
from hondo.client import Client
from hondo.errors import Unavailable

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 40.0


@contextmanager
def serving(models: Path, *options: str, log_to: Path | None = None, access: Access | None = None) -> Iterator[str]:
    """Runs `hondo serve` on a free port of this machine; gives its HOST:PORT once it answers, stops it at the end.

    Args:
        models: the folder of models.
        options: further options of `hondo serve`.
        log_to: the file that gets what it logs; unless given, that is dropped at the end.
        access: how to ask it whether it is ready, where the options close it.

    Raises:
        Unavailable: it did not come up; the text has what it logged.
    """
    address = f"127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "hondo.cli", "serve", str(models), "--port", address.split(":")[1]]
    command += ["--metrics-port", "0", *options]
    with log_to.open("w+") if log_to else TemporaryFile("w+") as log, subprocess.Popen(command, stderr=log) as process:  # noqa: S603  our own command
        try:
            _wait_until_ready(process, address, log, access)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def run(*arguments: str) -> None:
    """Runs a `hondo` subcommand as a process and waits for it; CalledProcessError where it fails."""
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "hondo.cli", *arguments], check=True)  # noqa: S603  our own command


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: str, log: IO[str], access: Access | None) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    with Client(address, timeout_s=2, access=access) as client:
        while True:
            try:
                client.list_models()
            except Unavailable:
                if process.poll() is not None:
                    log.seek(0)
                    raise Unavailable(f"the server did not start: {log.read().strip()}") from None
                if time.monotonic() > deadline_s:
                    raise
            else:
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
