"""What a GPU gives, served and bare: `python -m serving.bench.cuda`.

ResNet-50 and a step of an LSTM with random weights (serving/bench/nets.py), in 32 and 16 bits, at batches of 1 to 64,
with and without CUDA graphs. Bare is a session of ONNX Runtime with its inputs and outputs bound to page-locked memory,
measured just before and just after the server with the same settings; its requests have as many rows as a run takes.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from hondo.process import serving
from serving.bench import cpu, generator, machine, nets, tensors
from serving.bench.crew import Crew
from serving.bench.figures import summarise
from serving.bench.load import Closed, Pace
from serving.runtime import locked, sample
from serving.runtime.cores import available
from serving.runtime.device import Device, choose
from serving.runtime.providers import Acceleration
from serving.runtime.session import Session

_WARM_UP_S: Final = 0.5
_BATCHES: Final = (1, 2, 4, 8, 16, 32, 64)
_SWITCH: Final = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table."""

    net: str
    precision: str
    graphs: bool
    batch: int


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured of it."""

    case: Case
    # Rows a second: bare just before, served, bare just after.
    before: float
    served: float
    after: float
    p50_ms: float
    # Whether CUDA could record the net.
    captures: bool

    @property
    def ratio(self) -> float:
        """What the server gives, as a share of the bare session."""
        return 2 * self.served / (self.before + self.after)

    def __str__(self) -> str:
        case = self.case
        graphs = "on" if self.captures else "off (not recordable)" if case.graphs else "off"
        return (
            f"| {case.net} | {case.precision} | {graphs} | {case.batch} | {self.before:,.0f}; {self.after:,.0f} | "
            f"{self.served:,.0f} (p50 {self.p50_ms:.2f} ms) | {self.ratio:.2f} |"
        )


_HEAD: Final = "| net | precision | CUDA graphs | batch | bare, rows/s | served, rows/s | ratio |"


def bare(session: Session, batch: int) -> Callable[[float], float]:
    """Gives what runs a session for so many seconds, its tensors bound to page-locked memory, and gives rows/s."""
    made = sample.made_up(session.inputs)
    assert made is not None, "the nets leave nothing free but the batch"
    inputs = {}
    for name, array in made(batch).items():
        inputs[name] = locked.array(array.shape, array.dtype, session.device)
        inputs[name][...] = array
    outputs = {
        each.name: locked.array((batch, *each.row_shape), each.datatype.numpy, session.device)
        for each in session.outputs
    }
    run = session.bind(inputs, outputs)
    run()

    def measure(seconds: float) -> float:
        runs, started_s = 0, time.perf_counter()
        while (took_s := time.perf_counter() - started_s) < seconds or not runs:
            run()
            runs += 1
        return runs * batch / took_s

    return measure


class Bench:
    """Measures cases on a device.

    Args:
        device: where.
        seconds: how long each figure is measured.
        concurrency: requests under way at once.
    """

    def __init__(self, device: Device, seconds: float, concurrency: int) -> None:
        self._device = device
        self._pace = Pace(seconds=seconds, warm_up_s=_WARM_UP_S)
        self._load = Closed(concurrency)

    def line(self, models: Path, graph: Path, case: Case) -> Line:
        """Measures a case."""
        session = Session.open(graph, self._device.each[0], how=Acceleration(graphs=case.graphs))
        runs = bare(session, case.batch)
        runs(_WARM_UP_S)
        before = runs(self._pace.seconds)
        served, p50_ms = self._served(models, graph.parent.parent.name, case)
        return Line(case, before, served, runs(self._pace.seconds), p50_ms, session.captures)

    def _served(self, models: Path, model: str, case: Case) -> tuple[float, float]:
        """Gives rows/s and the median latency of a server that runs so many rows at once."""
        options = ["--device", str(self._device), "--max-batch-size", str(case.batch)]
        if case.graphs:
            options.append("--cuda-graphs")
        with serving(models, *options) as server, Crew(max(1, available() // 2)) as crew:
            questions = tensors.questions(server, model, rows=case.batch, shapes={})
            pids = cpu.listeners(int(server.rpartition(":")[2]))
            calls, window, _ = generator.driver(crew, questions)(server, self._load, self._pace, pids)
            figures = summarise(calls, window, self._load, rows=case.batch)
        return figures.rows_per_s, figures.latency.p50_ms if figures.latency else float("nan")


def lines(bench: Bench, cases: Sequence[Case]) -> Iterator[Line]:
    """Measures cases one after the other; each net is written once."""
    for net, precision in dict.fromkeys((case.net, case.precision) for case in cases):
        with TemporaryDirectory() as folder:
            graph = nets.write(Path(folder), net, precision)
            for case in cases:
                if (case.net, case.precision) == (net, precision):
                    yield bench.line(Path(folder), graph, case)


def named(device: Device) -> str:
    """Gives the name of what computes."""
    facts = machine.describe()
    if not device.is_cuda:
        return f"{device}: {facts.cpu}, {facts.cores} cores"
    asked = ["nvidia-smi", f"--id={device.each[0].number}", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  its own
    except (OSError, subprocess.CalledProcessError) as error:
        told = f"a GPU that nvidia-smi does not name ({error})"
    return f"{device}: {told}; {facts.cpu}, {facts.cores} cores"


@click.command()
@click.option("--device", default="cuda", show_default=True, help="As `hondo serve` takes it.")
@click.option(
    "--net", "chosen", type=click.Choice(nets.NAMES), multiple=True, default=nets.NAMES, show_default=True, help="Nets."
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(list(nets.PRECISIONS)),
    multiple=True,
    default=list(nets.PRECISIONS),
    show_default=True,
    help="What they compute in.",
)
@click.option(
    "--cuda-graphs",
    "switches",
    type=click.Choice(list(_SWITCH)),
    multiple=True,
    default=["off", "on"],
    show_default=True,
    help="With CUDA graphs or without.",
)
@click.option(
    "--batch", "batches", type=click.IntRange(1), multiple=True, default=_BATCHES, show_default=True, help="Rows a run."
)
@click.option("--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True, help="How long each figure.")
@click.option("--concurrency", type=click.IntRange(1), default=4, show_default=True, help="Requests at once.")
def bench(
    *,
    device: str,
    chosen: Sequence[str],
    precisions: Sequence[str],
    switches: Sequence[str],
    batches: Sequence[int],
    seconds: float,
    concurrency: int,
) -> None:
    """Measure ResNet-50 and an LSTM's step on a GPU, served beside a bare session."""
    on = choose(device)
    cases = [
        Case(net, precision, _SWITCH[switch], batch)
        for net, precision, switch, batch in product(chosen, precisions, switches, batches)
    ]
    facts = machine.describe()
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    click.echo(f"{named(on)}, load {facts.load_average:.1f}; {versions}\n\n{_HEAD}\n|{'---|' * 7}")
    for line in lines(Bench(on, seconds, concurrency), cases):
        click.echo(str(line))


if __name__ == "__main__":
    bench()
