"""What it costs to be closed: `python -m serving.bench.closed MODEL --models DIR`.

The same server four times: open to all, asking for tokens, speaking TLS, and both. In each round all get the same load,
one after another and each round in another order, so that what else the machine does strikes all of them alike.
h2load speaks TLS on the same cores, so of a rate that falls a part is its own; the server's processor time of a call is
not.
"""

import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from hondo.access import Access
from hondo.errors import HondoError, ServerError
from hondo.process import serving
from protos.inference_pb2 import ModelInferResponse
from serving.access import tokens
from serving.access.permission import Permission
from serving.bench import cpu, h2load, machine, tensors
from serving.bench.load import Closed, Pace, Window
from serving.bench.questions import Questions, ask

_CONNECTIONS: Final = 8
_ANSWERS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One of the four, while it runs."""

    name: str
    address: str
    token: str | None
    tls: bool
    processes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one round told of a server."""

    per_s: float
    # Processor time of a call, microseconds.
    cpu_us: float


def measure(server: Server, questions: Questions, answer_bytes: int, concurrency: int, pace: Pace) -> Figure:
    """Puts a load on a server.

    Raises:
        ServerError: calls failed.
    """
    with TemporaryDirectory() as folder:
        body, log = Path(folder, "body"), Path(folder, "log")
        body.write_bytes(b"\0" + len(questions.bodies[0]).to_bytes(4, "big") + questions.bodies[0])
        command = h2load.arguments(
            Closed(concurrency), pace, threads=1, server=server.address, method=questions.method, body=body, log=log
        )
        if server.token:
            command.insert(-1, f"--header=authorization: Bearer {server.token}")
        if server.tls:
            command[-1] = command[-1].replace("http://", "https://", 1)
        window = Window.at(time.monotonic(), pace)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603  our own command
            (spent_s,) = cpu.spent_s(window, [server.processes])
            printed, _ = process.communicate(timeout=pace.patience_s)
        calls = h2load.read(printed, log.read_text(), answer_bytes=answer_bytes, day_s=time.time() - time.monotonic())
    if calls.hidden_failures > 0.001 or calls.status.any():
        raise ServerError(f"the server that is {server.name} refused calls: {printed[-300:]}")
    answered = int(((calls.done_s >= window.start_s) & (calls.done_s < window.end_s)).sum())
    return Figure(answered / window.seconds, (spent_s or float("nan")) * 1e6 / answered)


@contextmanager
def servers(models: Path, folder: Path) -> Iterator[list[Server]]:
    """Starts the four."""
    certificate, key = _certificate(folder)
    token, grant = tokens.make("bench", [Permission.INFERENCE])
    tokens.add(folder / "tokens", grant)
    asking = ["--tokens", str(folder / "tokens")]
    speaking = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with ExitStack() as stack:
        started = []
        for name, options, tls, shown in (
            ("open", [], False, None),
            ("tokens", asking, False, token),
            ("TLS", speaking, True, None),
            ("TLS and tokens", [*asking, *speaking], True, token),
        ):
            access = Access(ca=certificate if tls else None, token=shown)
            address = stack.enter_context(serving(models, *options, log_to=folder / f"{name}.log", access=access))
            processes = cpu.listeners(int(address.rpartition(":")[2]))
            started.append(Server(name=name, address=address, token=shown, tls=tls, processes=processes))
        yield started


def _certificate(folder: Path) -> tuple[Path, Path]:
    program = shutil.which("openssl")
    if program is None:
        raise HondoError("this bench makes a certificate with the program openssl: install it")
    certificate, key = folder / "server.crt", folder / "server.key"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = [program, "req", *kind, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  our own command
    return certificate, key


def _table(names: Sequence[str], rounds: Sequence[dict[str, Figure]]) -> Iterator[str]:
    """Gives the lines of a table; shares are medians of those of each round."""
    yield "| | requests/s, all rounds | of open | server's processor time of a request, µs | more than open |"
    yield "|---|---|---|---|---|"
    for name in names:
        rates = "; ".join(f"{each[name].per_s:,.0f}" for each in rounds)
        share = statistics.median(each[name].per_s / each["open"].per_s for each in rounds)
        cpu_us = "; ".join(f"{each[name].cpu_us:.0f}" for each in rounds)
        more_us = statistics.median(each[name].cpu_us - each["open"].cpu_us for each in rounds)
        yield f"| {name} | {rates} | {share:.3f} | {cpu_us} | {more_us:+.0f} |"


@click.command()
@click.argument("model")
@click.option("--models", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--concurrency", type=click.IntRange(1), default=32, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=4.0, show_default=True)
def closed(*, model: str, models: Path, concurrency: int, rounds: int, seconds: float) -> None:
    """Measure what tokens and TLS cost a server of MODEL."""
    pace = Pace(seconds=seconds, warm_up_s=1.0, connections=_CONNECTIONS)
    with TemporaryDirectory() as folder, servers(models, Path(folder)) as started:
        questions = tensors.questions(started[0].address, model, shapes={})
        answers = ask(started[0].address, questions.method, questions.bodies[:1] * _ANSWERS)
        # What h2load counts as an answer's size: the id and the contents are alike in all.
        answer_bytes = min(ModelInferResponse.FromString(answer).ByteSize() for answer in answers)
        figures = []
        for number in range(rounds):
            turned = started[number % len(started) :] + started[: number % len(started)]
            figures.append({one.name: measure(one, questions, answer_bytes, concurrency, pace) for one in turned})
        here = machine.describe()
        told = f"{here.cpu}, load average {here.load_average:.1f}"
        click.echo(f"{model}, {concurrency} at once, {_CONNECTIONS} connections; {told}")
        click.echo("\n".join(_table([each.name for each in started], figures)))


if __name__ == "__main__":
    closed()
