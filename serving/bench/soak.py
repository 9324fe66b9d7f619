"""A soak: a server that watches its folder, asked questions of all kinds for a long time while its models are replaced.

`python -m serving.bench.soak --models DIR --minutes 10`. Of some models new versions come and old ones go all the time;
clients in another process leave, or are in a hurry, now and then. At the end stands what a server must not do: answer
wrongly, fail without reason, grow, slow down, or keep slots or file handles.
"""

import asyncio
import logging
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
import numpy as np
from google.protobuf import json_format

from hondo import artifact
from hondo.client import Client
from hondo.errors import HondoError, ServerError
from hondo.process import serving
from protos.manifest_pb2 import Manifest
from serving.bench import cpu, holdings, machine
from serving.bench.traffic import Ended, drive, kinds

# What is asked unless told otherwise: one model of each task, small enough that swaps do not take the whole machine.
_MODELS: Final = ("lenet5", "textcnn-trec", "sobel", "shakespeare", "captioner")
# Sequences of these end with their version, so they stay.
_STAYS: Final = "text_generation"
# The first of so many minutes, or so much of a short soak, does not count for the growth of memory.
_WARM_UP: Final = 0.25
# Into how many parts the rest is divided.
_PARTS: Final = 6
_MOST_MB_A_MINUTE: Final = 1.0
_MOST_SLOWER: Final = 1.3
# Minutes from which on the last can be set beside the second.
_LEAST_MINUTES: Final = 3
# Handles that may come and go at any time: gRPC's pollers, a scrape.
_SPARE_HANDLES: Final = 8
# How long a new version may take to be served: it is loaded behind the traffic. Seconds.
_LOAD_S: Final = 300.0
# How long slots and handles may take to come back, seconds.
_BACK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """How the server was at a time."""

    at_s: float
    resident_mb: float
    handles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What came of it."""

    began_s: float
    ended: Sequence[Ended]
    samples: Sequence[Sample]
    swaps: int
    handles_before: int
    handles_after: int
    slots_after: float
    # Lines of the log that have a traceback.
    tracebacks: int

    @property
    def unexplained(self) -> "Counter[str]":
        """Calls that ended in a way that their callers did not bring about."""
        strange = [each for each in self.ended if each.code != "OK" and not each.is_expected]
        return Counter(f"{each.kind}: {each.code} {each.text}".strip() for each in strange)

    @property
    def p99_ms(self) -> list[float]:
        """Of the calls that were answered, for each whole minute."""
        minutes: dict[int, list[float]] = {}
        for each in self.ended:
            if each.code == "OK":
                minutes.setdefault(int((each.at_s - self.began_s) // 60), []).append(each.took_s * 1000)
        whole = int((self.ended[-1].at_s - self.began_s + 1) // 60)
        return [float(np.percentile(minutes.get(minute, [0.0]), 99)) for minute in range(whole)]

    @property
    def mb_a_minute(self) -> float:
        """How memory grew after the warm-up: the slope of a line through the least of each part of the time.

        What is being loaded beside what is served comes and goes; what leaks stays, in the least too.
        """
        last_s = self.samples[-1].at_s
        since_s = self.began_s + _WARM_UP * (last_s - self.began_s)
        part_s = (last_s - since_s) / _PARTS
        least: dict[int, float] = {}
        for each in self.samples:
            part = min(_PARTS - 1, int((each.at_s - since_s) // part_s))
            if part >= 0:
                least[part] = min(each.resident_mb, least.get(part, each.resident_mb))
        minutes = [part * part_s / 60 for part in least]
        return float(np.polyfit(minutes, list(least.values()), 1)[0])

    def faults(self) -> list[str]:
        """Gives what must not be."""
        found = [f"{count} x {what}" for what, count in self.unexplained.most_common()]
        if self.tracebacks:
            found.append(f"{self.tracebacks} tracebacks in the server's log")
        if self.mb_a_minute >= _MOST_MB_A_MINUTE:
            found.append(f"memory grew by {self.mb_a_minute:.2f} MB a minute, {_MOST_MB_A_MINUTE:g} allowed")
        p99 = self.p99_ms
        if len(p99) >= _LEAST_MINUTES and p99[-1] > _MOST_SLOWER * p99[1]:
            found.append(f"p99 of the last minute is {p99[-1] / p99[1]:.2f} times the second's, {_MOST_SLOWER} allowed")
        if self.slots_after:
            found.append(f"{self.slots_after:g} rows wait or run on")
        if self.handles_after > self.handles_before + _SPARE_HANDLES:
            found.append(f"{self.handles_after - self.handles_before} file handles stay open")
        return found

    def lines(self) -> Iterator[str]:
        """Gives the table."""
        yield f"{'question':<24}{'asked':>8}{'answered':>10}{'left':>8}{'too late':>10}{'unexplained':>13}"
        for kind in sorted({each.kind for each in self.ended}):
            yield _row(kind, [each for each in self.ended if each.kind == kind])
        yield _row("all", self.ended)
        yield ""
        resident = [each.resident_mb for each in self.samples]
        yield f"swaps        {self.swaps}"
        yield f"p99, ms      {'; '.join(f'{each:.0f}' for each in self.p99_ms) or 'less than a minute'}, by minute"
        yield f"memory       {resident[0]:.1f} MB at first, {max(resident):.1f} at most, {resident[-1]:.1f} at last"
        yield f"growth       {self.mb_a_minute:+.2f} MB a minute after the warm-up"
        yield f"slots        {self.slots_after:g} in use at the end"
        yield f"handles      {self.handles_before} at first, {self.handles_after} at the end"


def _row(name: str, ended: Sequence[Ended]) -> str:
    answered = sum(each.code == "OK" for each in ended)
    left = sum(each.is_expected and each.code == "CANCELLED" for each in ended)
    late = sum(each.is_expected and each.code == "DEADLINE_EXCEEDED" for each in ended)
    return f"{name:<24}{len(ended):>8,}{answered:>10,}{left:>8,}{late:>10,}{len(ended) - answered - left - late:>13,}"


class Folder:
    """A folder of models whose newest versions are replaced by copies of themselves."""

    def __init__(self, folder: Path, names: Sequence[str], source: Path) -> None:
        """Copies models."""
        self.path = folder
        folder.mkdir()
        for name in names:
            shutil.copytree(source / name, folder / name)
        for samples in source.glob("*/samples"):
            shutil.copytree(samples, folder / samples.parent.name / "samples", dirs_exist_ok=True)
        self._turns = cycle([name for name in names if self._manifest(name).WhichOneof("task") != _STAYS])

    def swap(self) -> tuple[str, int]:
        """Brings the next version of the next model; removes those before the last. Gives what is to be served."""
        name = next(self._turns)
        newest, *older = sorted(self._versions(name), reverse=True)
        aside = self.path / f".{name}-{newest + 1}"
        shutil.copytree(self.path / name / str(newest), aside)
        manifest = self._manifest(name)
        manifest.version = newest + 1
        (aside / artifact.MANIFEST).write_text(artifact.to_json(manifest), "utf-8")
        aside.rename(self.path / name / str(newest + 1))
        for version in older:
            gone = self.path / f".{name}-{version}-gone"
            (self.path / name / str(version)).rename(gone)
            shutil.rmtree(gone)
        return name, newest + 1

    def _versions(self, name: str) -> list[int]:
        return [int(path.name) for path in (self.path / name).iterdir() if path.name.isdecimal()]

    def _manifest(self, name: str) -> Manifest:
        file = self.path / name / str(max(self._versions(name))) / artifact.MANIFEST
        return json_format.Parse(file.read_text("utf-8"), Manifest())


def soak(models: Path, names: Sequence[str], minutes: float, clients: int, swap_every_s: float) -> Soak:
    """Soaks a server of some models of a folder.

    Raises:
        HondoError: the server does not come up, or a new version is not served.
    """
    with TemporaryDirectory() as temporary, ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
        folder = Folder(Path(temporary, "models"), names, models)
        log = Path(temporary, "log")
        with serving(folder.path, "--watch", "--watch-seconds", "0.5", log_to=log) as address:
            (pid,) = cpu.listeners(int(address.rpartition(":")[2]))
            asked = kinds(folder.path)
            holdings.slots(log)
            before = _sample(pid)
            began_s = time.monotonic()
            traffic = elsewhere.submit(_traffic, address, folder.path, began_s + 60 * minutes, clients)
            samples, swaps = _attend(pid, folder, address, traffic, swap_every_s)
            ended = sorted(traffic.result(), key=lambda each: each.at_s)
            elsewhere.shutdown()
            assert {each.kind for each in ended} == {kind.name for kind in asked}, "all were asked"
            slots, after = _settled(pid, log, before)
        return Soak(
            began_s=began_s,
            ended=ended,
            samples=samples,
            swaps=swaps,
            handles_before=before.handles,
            handles_after=after.handles,
            slots_after=slots,
            tracebacks=log.read_text().count("Traceback"),
        )


def _traffic(address: str, models: Path, until_s: float, clients: int) -> list[Ended]:
    """What the other process does."""
    # gRPC's asyncio client leaves a task behind where a stream is left, and asyncio says so each time.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return asyncio.run(drive(address, kinds(models), until_s, clients))


def _attend(
    pid: int, folder: Folder, address: str, traffic: "Future[list[Ended]]", swap_every_s: float
) -> tuple[list[Sample], int]:
    """Looks at the server each second, and replaces a model now and again, until the traffic ends."""
    samples, swaps = [_sample(pid)], 0
    wanted: tuple[str, int] | None = None
    next_swap_s = time.monotonic() + swap_every_s
    with Client(address) as client:
        while not traffic.done():
            time.sleep(1)
            samples.append(_sample(pid))
            if wanted is not None and client.get_model(wanted[0]).version == wanted[1]:
                swaps, wanted = swaps + 1, None
            if time.monotonic() > next_swap_s:
                if wanted is None:
                    wanted, next_swap_s = folder.swap(), time.monotonic() + swap_every_s
                elif time.monotonic() > next_swap_s + _LOAD_S:
                    raise ServerError(f"{wanted[0]} version {wanted[1]} is not served {_LOAD_S:g} s after it came")
    return samples, swaps


def _sample(pid: int) -> Sample:
    held = holdings.held(pid)
    return Sample(time.monotonic(), held.resident_kb / 1024, held.file_handles)


def _settled(pid: int, log: Path, before: Sample) -> tuple[float, Sample]:
    """Waits until slots and handles are back, for some time; gives what there is of them then."""
    give_up_s = time.monotonic() + _BACK_S
    while True:
        slots, after = holdings.slots(log), _sample(pid)
        is_back = not slots and after.handles <= before.handles + _SPARE_HANDLES
        if is_back or time.monotonic() > give_up_s:
            return slots, after
        time.sleep(0.5)


@click.command()
@click.option("--models", type=click.Path(path_type=Path, exists=True, file_okay=False), default="models")
@click.option("--only", default=",".join(_MODELS), show_default=True, help="Which of them, by name.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True)
@click.option("--clients", type=click.IntRange(1), default=8, show_default=True)
@click.option(
    "--swap-seconds",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="From swap to swap.",
)
def main(models: Path, only: str, minutes: float, clients: int, swap_seconds: float) -> None:
    """Ask a server questions of all kinds for a long time while its models are replaced; exit code 1 on any fault."""
    facts = machine.describe()
    click.echo(f"{facts.cpu}, {facts.cores} cores, load {facts.load_average:.1f}; {facts.versions}")
    try:
        came = soak(models, only.split(","), minutes, clients, swap_seconds)
    except HondoError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(came.lines()))
    faults = came.faults()
    click.echo("\n".join(f"FAULT        {fault}" for fault in faults) or "no fault")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
