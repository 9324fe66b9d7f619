"""`hondo serve` as a process of its own, as users run it."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_READY: Final = re.compile(r"ready on (\S+), (?:device \S+|\d+ workers), after ([\d.]+) s")
_PATIENCE_S: Final = 60.0


def hondo(*arguments: str | Path) -> list[str]:
    """Gives the command line of `hondo ARGUMENTS` on this interpreter, with warnings as errors as here."""
    return [sys.executable, "-W", "error", "-m", "hondo.cli", *map(str, arguments)]


@dataclass(frozen=True)
class Process:
    """A running `hondo serve`."""

    popen: subprocess.Popen[bytes]
    # HOST:PORT
    address: str
    # From the start of the process to "ready", by its log.
    ready_after_s: float
    log: Path


@contextlib.contextmanager
def serving(
    models: Path, log: Path, *options: str, before: str = "", more: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Starts `hondo serve` on a free port, waits until it is ready, and kills what is left of it at the end.

    Args:
        models: the folder of models.
        log: where its log goes.
        options: of the command line.
        before: what a shell does in its process first, such as `ulimit -n 256`.
        more: what its environment has besides.
    """
    with log.open("wb") as file:
        command = hondo("serve", models, "--port", "0", "--metrics-port", "0", "--device", "cpu", *options)
        if before:
            command = ["sh", "-c", f'{before} && exec "$@"', "sh", *command]
        popen = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **(more or {})})
    try:
        address, after_s = _wait_until_ready(popen, log)
        yield Process(popen, address, after_s, log)
    finally:
        popen.kill()
        popen.wait()


def _wait_until_ready(popen: "subprocess.Popen[bytes]", log: Path) -> tuple[str, float]:
    give_up_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up_s:
        ready = _READY.search(log.read_text())
        if ready is not None:
            return ready[1], float(ready[2])
        if popen.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"hondo serve did not become ready:\n{log.read_text()}")
