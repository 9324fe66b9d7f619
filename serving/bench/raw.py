"""Raw ONNX Runtime: what a graph gives on this machine without a server, run at its best.

It runs in processes of its own, each with its own session, so that no lock of Python's stands in the way of several
instances. Every setting is tried; the best is measured again just before and just after each served load, so that a
machine that grows slower or faster meanwhile does so to both.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from hondo.artifact import Tensors
from hondo.errors import InvalidArtifact
from serving.bench import answers
from serving.bench.crew import Crew
from serving.bench.rate import Ran, Rate, mean, together
from serving.runtime.datatypes import BF16
from serving.runtime.device import Device
from serving.runtime.session import Session

_MULTIPLES: Final = (1, 2, 4, 8, 16, 32, 64, 128)  # of the rows of a request
_MAX_ROWS: Final = 32
_MAX_ROWS_ELSEWHERE: Final = 128
# A batch this much slower than a smaller one: those still larger are not tried.
_HOPELESS: Final = 0.8
# From giving out the work until all processes have it.
_LEAD_S: Final = 0.02
_ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a graph."""

    # Rows a run.
    rows: int
    # Sessions side by side, each in its own process.
    instances: int
    # Threads that compute one run.
    threads: int
    # Whether idle threads look for work instead of sleeping.
    spinning: bool


@dataclass(frozen=True, slots=True)
class Explored:
    """All settings tried, and the two that served figures are held against."""

    # Rows a second.
    rates: dict[Setting, Rate]
    # Most rows a second.
    best: Setting
    # The shortest time for one request at a time.
    single: Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one process is to run."""

    graph: Path
    device: Device
    # Whole requests; their rows are joined and repeated to the rows of the setting.
    feeds: Sequence[Tensors]
    request_rows: int
    setting: Setting
    # When to begin, on the machine's monotonic clock, and for how long.
    begin_s: float = 0.0
    seconds: float = 0.0


class Raw:
    """A graph on ONNX Runtime, in the processes of a crew."""

    def __init__(self, crew: Crew, graph: Path, device: Device, feeds: Sequence[Tensors], rows: int) -> None:
        self._crew = crew
        self._rows = rows
        some = Setting(rows, 1, len(crew), spinning=False)
        # No more than fill the largest batch: they go to every process with every piece of work.
        enough = tuple(feeds[: -(-_most_rows(device) // rows)])
        self._work = Work(graph=graph, device=device, feeds=enough, request_rows=rows, setting=some)

    def computed(self) -> answers.Outputs:
        """Gives what the graph says to the first request."""
        return self._crew.do(compute, [self._work])[0]

    def explore(self, seconds: float, *, batches: bool) -> Explored:
        """Tries all settings, each for so many seconds, twice over.

        Args:
            seconds: how long to measure each setting.
            batches: whether the graph takes rows of several requests at once.
        """
        rounds: dict[Setting, list[Rate]] = {}
        for _ in range(_ROUNDS):
            for series in settings(self._rows, len(self._crew), self._work.device, batches=batches):
                best = 0.0
                for setting in series:
                    rate = self.measure(setting, seconds)
                    rounds.setdefault(setting, []).append(rate)
                    if rate.per_s < _HOPELESS * best:
                        break
                    best = max(best, rate.per_s)
        rates = {setting: mean(found) for setting, found in rounds.items()}
        alone = [setting for setting in rates if setting.instances == 1 and setting.rows == self._rows]
        return Explored(
            rates,
            best=max(rates, key=lambda setting: rates[setting].per_s),
            single=max(alone, key=lambda setting: rates[setting].per_s),
        )

    def measure(self, setting: Setting, seconds: float) -> Rate:
        """Runs the graph for so many seconds; gives rows a second."""
        works = [replace(self._work, setting=setting)] * setting.instances
        self._crew.do(prepare, works)
        begin_s = time.monotonic() + _LEAD_S
        rans = self._crew.do(run, [replace(work, begin_s=begin_s, seconds=seconds) for work in works])
        return together(rans, setting.rows)


def _most_rows(device: Device) -> int:
    return _MAX_ROWS if device.is_cpu else _MAX_ROWS_ELSEWHERE


def settings(rows: int, cores: int, device: Device, *, batches: bool) -> list[list[Setting]]:
    """Gives the settings to try, in series of growing batches."""
    most = max(rows, _most_rows(device)) if batches else rows
    sizes = [rows * multiple for multiple in _MULTIPLES if rows * multiple <= most]
    if not device.is_cpu:
        return [[Setting(size, 1, cores, spinning=False) for size in sizes]]
    series = []
    for spinning in (False, True):
        series.append([Setting(size, 1, cores, spinning) for size in sizes])
        if cores > 1:
            series.append([Setting(size, cores, 1, spinning) for size in sizes])
            series.append([Setting(rows, 1, 1, spinning)])
    return series


def prepare(work: Work) -> None:
    """Loads the graph and runs it once at the size asked for; runs in a process of a crew."""
    runner(work.graph, work.device, work.setting.threads, work.setting.spinning)(_batch(work))


def run(work: Work) -> Ran:
    """Runs the graph again and again; runs in a process of a crew."""
    once = runner(work.graph, work.device, work.setting.threads, work.setting.spinning)
    feed = _batch(work)
    time.sleep(max(0.0, work.begin_s - time.monotonic()))
    took_s: list[float] = []
    cpu_s = time.process_time()
    now_s = started_s = time.perf_counter()
    while now_s < started_s + work.seconds or not took_s:
        once(feed)
        before_s, now_s = now_s, time.perf_counter()
        took_s.append(now_s - before_s)
    return Ran(took_s, time.process_time() - cpu_s)


def compute(work: Work) -> answers.Outputs:
    """Gives what the graph says to the first request; runs in a process of a crew."""
    session = Session.open(work.graph, work.device)
    arrays = session.run(work.feeds[0])
    return {output.name: answers.output(arrays[output.name], output.datatype) for output in session.outputs}


# A setting's session stays for the next measurement; more would only hold memory.
@lru_cache(maxsize=2)
def runner(graph: Path, device: Device, threads: int, spinning: bool) -> Callable[[Tensors], Any]:
    """Gives what runs the graph once.

    Raises:
        InvalidArtifact: ONNX Runtime does not load it.
    """
    if not device.is_cpu:
        return Session.open(graph, device).run
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base but Exception
        raise InvalidArtifact(f"{graph} does not load: {error}") from error
    checked = Session(graph, session)
    if BF16 in {signature.datatype for signature in checked.signatures}:
        return checked.run  # which knows how to feed them
    return partial(session.run, None)


def _batch(work: Work) -> Tensors:
    """Joins requests, each as often as it takes, to the rows of the setting."""
    if work.setting.rows == work.request_rows:
        return work.feeds[0]
    joined = {name: np.concatenate([feed[name] for feed in work.feeds]) for name in work.feeds[0]}
    return {name: np.resize(array, (work.setting.rows, *array.shape[1:])) for name, array in joined.items()}
