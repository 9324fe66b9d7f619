"""The native load generator: nghttp2's h2load, where one in Python would take the server's cores.

It sends one body over and over. The calls of an open loop it spaces evenly, counts their latency from when they are
sent, and forgets those under way at its end: under overload, prefer the generator in Python. It sees HTTP statuses and
no gRPC ones, but a call that fails in gRPC has no data in its answer, so the amount of data tells how many did.
"""

import re
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from hondo.errors import HondoError, ServerError
from serving.bench import cpu
from serving.bench.calls import Calls, Drive
from serving.bench.load import MAX_IN_FLIGHT, Closed, Load, Open, Pace, Window
from serving.bench.questions import Questions

_PREFIX: Final = struct.Struct(">BI")  # gRPC's before each message: not compressed, length in bytes
_SUMMARY: Final = re.compile(
    r"requests: \d+ total, (?P<started>\d+) started, \d+ done, (?P<succeeded>\d+) succeeded.*"
    r"traffic: .*\((?P<data>\d+)\) data",
    re.DOTALL,
)
# From its start until its first call.
_LEAD_S: Final = 0.1
_OK, _UNAVAILABLE = 0, 14


class H2loadMissing(HondoError):
    """The program is not installed."""


def program() -> str:
    """Gives the path of h2load.

    Raises:
        H2loadMissing: it is not installed.
    """
    path = shutil.which("h2load")
    if path is None:
        raise H2loadMissing(
            "--generator h2load needs the program h2load: apt install nghttp2-client (Debian, Ubuntu), "
            "dnf install nghttp2 (Fedora), brew install nghttp2 (macOS)"
        )
    return path


def driver(threads: int, questions: Questions, answer_bytes: int) -> Drive:
    """Gives what puts loads on servers by asking the first of these questions.

    Args:
        threads: how many threads send, at most.
        questions: only the first is asked.
        answer_bytes: the size of the message that answers it.
    """

    def drive(server: str, load: Load, pace: Pace, pids: frozenset[int]) -> tuple[Calls, Window, float | None]:
        with tempfile.TemporaryDirectory() as folder:
            body, log = Path(folder, "body"), Path(folder, "log")
            body.write_bytes(_PREFIX.pack(0, len(questions.bodies[0])) + questions.bodies[0])
            command = arguments(load, pace, threads=threads, server=server, method=questions.method, body=body, log=log)
            window = Window.at(time.monotonic() + _LEAD_S, pace)
            printed, server_cpu_s, client_cpu_s = _run(command, window, pids, pace)
            calls = read(
                printed,
                log.read_text(),
                answer_bytes=answer_bytes,
                day_s=time.time() - time.monotonic(),
                cpu_s=client_cpu_s,
                due=round(load.rate_per_s * _runs_s(pace)) if isinstance(load, Open) else None,
            )
        return calls, window, server_cpu_s

    return drive


def _run(
    command: list[str], window: Window, pids: frozenset[int], pace: Pace
) -> tuple[str, float | None, float | None]:
    """Gives what it printed, and the processor time that the server and it used in the window, seconds."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603  our own command
        try:
            server_cpu_s, client_cpu_s = cpu.spent_s(window, [pids, [process.pid]])
            printed, _ = process.communicate(timeout=pace.patience_s)
        finally:
            process.kill()
    if process.returncode:
        raise ServerError(f"h2load failed: {printed.strip()[-500:]}")
    return printed, server_cpu_s, client_cpu_s


def _runs_s(pace: Pace) -> float:
    """Gives how long it runs, seconds."""
    return _LEAD_S + pace.warm_up_s + pace.seconds


def arguments(load: Load, pace: Pace, *, threads: int, server: str, method: str, body: Path, log: Path) -> list[str]:
    """Gives the command line that puts a load on a server."""
    connections = pace.connections_of(load)
    if isinstance(load, Closed):
        # Each connection has the same number of calls under way.
        connections = max(count for count in range(1, connections + 1) if load.concurrency % count == 0)
        streams = load.concurrency // connections
        rate = []
    else:
        streams = max(1, MAX_IN_FLIGHT // connections)
        rate = [f"--rps={load.rate_per_s / connections:g}"]
    deadline = [f"--header=grpc-timeout: {round(pace.deadline_s * 1000)}m"] if pace.deadline_s else []
    return [
        program(),
        f"--clients={connections}",
        f"--threads={min(threads, connections)}",
        f"--max-concurrent-streams={streams}",
        f"--duration={round(_runs_s(pace) * 1000)}ms",
        *rate,
        f"--data={body}",
        "--header=content-type: application/grpc",
        "--header=te: trailers",
        *deadline,
        f"--log-file={log}",
        f"http://{server}{method}",
    ]


def read(
    printed: str, log: str, *, answer_bytes: int, day_s: float, cpu_s: float | None = None, due: int | None = None
) -> Calls:
    """Reads what h2load printed and logged.

    Args:
        printed: its standard output.
        log: a line for each call: start, microseconds since 1970; HTTP status; microseconds until the answer.
        answer_bytes: the size of an answer's message.
        day_s: time of day minus the monotonic clock, seconds.
        cpu_s: the processor time that it used.
        due: how many calls were to be sent; None in a closed loop.

    Raises:
        ServerError: it printed no summary, or made no call.
    """
    summary = _SUMMARY.search(printed)
    rows = np.array([line.split("\t") for line in log.splitlines()], np.int64).reshape(-1, 3)
    if summary is None or not len(rows):
        raise ServerError(f"h2load made no call: {printed.strip()[-500:]}")
    due_s = rows[:, 0] / 1e6 - day_s
    succeeded = int(summary["succeeded"])
    answered = int(summary["data"]) / (_PREFIX.size + answer_bytes)
    return Calls(
        due_s=due_s,
        done_s=due_s + rows[:, 2] / 1e6,
        status=np.where(rows[:, 1] == 200, _OK, _UNAVAILABLE).astype(np.int16),
        not_sent=max(0, due - int(summary["started"])) if due else 0,
        cpu_s=cpu_s,
        hidden_failures=min(1.0, max(0.0, 1 - answered / succeeded)) if succeeded else 0.0,
    )
