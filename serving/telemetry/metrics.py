"""The metrics of a server, under the names and in the units that Prometheus' manner asks for.

Several workers share a folder (PROMETHEUS_MULTIPROC_DIR, which prometheus_client reads when it is imported): each
shows its counts in files of its own there, and `of_workers` adds them up, those of ended workers too, so that no count
falls.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, Final

import onnxruntime
from grpc import StatusCode
from prometheus_client import CollectorRegistry, Metric
from prometheus_client import Gauge as PrometheusGauge
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from hondo.artifact import PREFILL, STEP
from serving.telemetry.counts import ROWS, SECONDS, Counter, Family, Gauge, Histogram
from serving.telemetry.course import Course, Stage
from serving.telemetry.tally import NO_DECODE_TALLY, NO_TALLY, DecodeTally, Outcome, RunsByRows, Tally

# The name of the environment variable with the folder that workers share.
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

_GRAPH: Final = ("model", "version", "graph")
_MODEL: Final = ("model", "version")
# The time of the last answer is noted once in so long at most.
_LAST_S: Final = 0.05
# Requests that are counted together: few enough that what is known of them is still in the processor's caches.
_IN_A_ROW: Final = 64

CALL_SECONDS: Final = "hondo_call_seconds"
BATCH_ROWS: Final = "hondo_batch_rows"
RUN_SECONDS_BY_ROWS: Final = "hondo_run_seconds_by_rows"
LAST_ANSWER: Final = "hondo_last_answer_timestamp_seconds"
STAGE_SECONDS: Final = {
    Stage.DECODE: "hondo_decode_seconds",
    Stage.QUEUE: "hondo_queue_seconds",
    Stage.COMPUTE: "hondo_compute_seconds",
    Stage.ENCODE: "hondo_encode_seconds",
}
_STAGE_TEXTS: Final = {
    Stage.DECODE: "How long a request's tensors were read, or its pictures decoded.",
    Stage.QUEUE: "How long a request waited to run.",
    Stage.COMPUTE: "How long the runs took that a request was part of.",
    Stage.ENCODE: "How long a request's answer was written.",
}


# Method, model, version and status of a request; how long it took, and its first message; its stages.
_Stages = list[tuple[Stage, float, float]]
_Ended = tuple[tuple[str, str, str, StatusCode], float, float | None, _Stages]


class Metrics(Collector):
    """All that a server counts."""

    def __init__(self, *, counts: bool = True) -> None:
        """Makes metrics at 0.

        Args:
            counts: whether anything is counted; where not, this costs nothing and tells nothing.
        """
        self.registry = CollectorRegistry()
        self.counts = counts
        seconds = partial(Histogram, SECONDS)
        self._requests = Family(
            "counter",
            "hondo_requests",
            "Requests to a graph, by how they left its queue.",
            (*_GRAPH, "outcome"),
            Counter,
        )
        self._queue_rows = Family("gauge", "hondo_queue_rows", "Rows that wait to run.", _GRAPH, Gauge)
        self._running_rows = Family(
            "gauge", "hondo_running_rows", "Rows that hold a slot of a decode loop.", _GRAPH, Gauge
        )
        self._batch_rows = Family(
            "histogram", BATCH_ROWS, "Rows a run, padding left out.", _GRAPH, partial(Histogram, ROWS)
        )
        self._run_seconds = Family("histogram", "hondo_run_seconds", "How long a run of a graph took.", _GRAPH, seconds)
        self._run_seconds_by_rows = Family(
            "summary",
            RUN_SECONDS_BY_ROWS,
            "How long a run took, by its rows, padding left out.",
            (*_GRAPH, "rows"),
            Histogram,
        )
        self._tokens = Family("counter", "hondo_tokens", "Tokens that a graph read or wrote.", _GRAPH, Counter)
        by_status = ("method", *_MODEL, "code")
        self._calls = Family(
            "counter",
            "hondo_calls",
            "Requests, those of streams among them, by the gRPC status of their answer.",
            by_status,
            Counter,
        )
        self._call_seconds = Family(
            "histogram", CALL_SECONDS, "From a request's arrival to its answer.", by_status, seconds
        )
        self._first_message = Family(
            "histogram",
            "hondo_first_message_seconds",
            "From a request's arrival to the first message of its answer, where that streams.",
            ("method", *_MODEL),
            seconds,
        )
        self._stages = {
            each: Family("histogram", STAGE_SECONDS[each], _STAGE_TEXTS[each], _MODEL, seconds) for each in Stage
        }
        self._last_answer = PrometheusGauge(
            LAST_ANSWER,
            "When a model's last request was answered.",
            _MODEL,
            registry=self.registry,
            multiprocess_mode="max",
        )
        self._last_s: dict[tuple[str, str], float] = {}
        # Requests that have ended and are not counted yet.
        self._ended: list[_Ended] = []
        self._folding = threading.Lock()
        self._shared = _Shared(Path(os.environ[FOLDER])) if FOLDER in os.environ else None
        self.registry.register(self)
        _note_build(self.registry)

    @property
    def _families(self) -> "list[Family[Any]]":
        families: list[Family[Any]] = [self._requests, self._tokens, self._queue_rows, self._running_rows]
        families += [self._batch_rows, self._run_seconds, self._run_seconds_by_rows]
        families += [self._calls, self._call_seconds, self._first_message, *self._stages.values()]
        return families

    def collect(self) -> Iterator[Metric]:
        """Gives prometheus_client what is counted."""
        self.fold()
        for family in self._families:
            yield family.collect()

    def count(self, course: Course) -> None:
        """Counts a request that has ended: notes it, and once there are some, counts them in a row."""
        took_s = course.ended_s - course.began_s
        first_s = None if course.first_message_s is None else course.first_message_s - course.began_s
        of = (course.method, course.model, course.version, course.code)
        self._ended.append((of, took_s, first_s, course.stages))
        if len(self._ended) >= _IN_A_ROW:
            self._count_ended()

    def fold(self) -> None:
        """Counts what has ended since the last time, and adds all up; on any thread."""
        self._count_ended()
        with self._folding:
            for family in self._families:
                family.fold()

    def _count_ended(self) -> None:
        with self._folding:
            count = len(self._ended)
            ended = self._ended[:count]
            del self._ended[:count]  # what ends meanwhile is behind these
            alike: dict[tuple[str, str, str, int], list[_Ended]] = {}
            for each in ended:
                method, name, version, code = each[0]
                # By the status's identity: Enum's own hash is computed in Python.
                alike.setdefault((method, name, version, id(code)), []).append(each)
            for found in alike.values():
                self._count(found)

    def _count(self, ended: list[_Ended]) -> None:
        """Counts requests to one method of one model that had the same status, in the order of their ends."""
        method, name, version, code = ended[0][0]
        model, by_status = (name, version), (method, name, version, code.name)
        self._calls[by_status].inc(len(ended))
        self._call_seconds[by_status].observe_all([took_s for _, took_s, _, _ in ended])
        if first := [first_s for _, _, first_s, _ in ended if first_s is not None]:
            self._first_message[method, name, version].observe_all(first)
        for stage, spent_s in _spent([stages for _, _, _, stages in ended if stages]):
            self._stages[stage][model].observe_all(spent_s)
        last = next((stages for _, _, _, stages in reversed(ended) if stages), None)
        if last is not None and code is StatusCode.OK:
            # The last that was done for it; the clocks' distance is that of now.
            answered_s = max(ended_s for _, _, ended_s in last) + time.time() - time.monotonic()
            if answered_s - self._last_s.get(model, 0.0) > _LAST_S:
                self._last_s[model] = answered_s
                self._last_answer.labels(*model).set(answered_s)

    def share(self) -> None:
        """Adds up what was observed, and shows it to the supervisor where there is one; on the event loop alone."""
        self.fold()
        if self._shared is not None:
            self._shared.write(self._families)

    def totals(self) -> Iterator[Metric]:
        """Gives all that was counted, by the other workers too; on any thread, after `share`."""
        registry = self.registry if self._shared is None else of_workers(self._shared.folder)
        return iter(list(registry.collect()))

    def tally(self, model: str, version: int, graph: str) -> Tally:
        """Gives what counts for one graph; all of its series are there from now on, at 0."""
        if not self.counts:
            return NO_TALLY
        of = (model, str(version), graph)
        return Tally(
            requests={outcome: self._requests[*of, outcome] for outcome in Outcome},
            queue_rows=self._queue_rows[of],
            batch_rows=self._batch_rows[of],
            run_seconds=self._run_seconds[of],
            run_seconds_by_rows=RunsByRows(self._run_seconds_by_rows, of),
        )

    def decode_tally(self, model: str, version: int, begins: str = PREFILL) -> DecodeTally:
        """Gives what counts for a model that writes tokens, likewise; `begins` is the graph before "step"."""
        if not self.counts:
            return NO_DECODE_TALLY
        read, step = (model, str(version), begins), (model, str(version), STEP)
        return DecodeTally(
            requests={outcome: self._requests[*step, outcome] for outcome in Outcome},
            queue_rows=self._queue_rows[step],
            running_rows=self._running_rows[step],
            step_rows=self._batch_rows[step],
            step_seconds=self._run_seconds[step],
            read_rows=self._batch_rows[read],
            read_seconds=self._run_seconds[read],
            read_tokens=self._tokens[read],
            written_tokens=self._tokens[step],
        )

    def forget(self, model: str, version: int) -> None:
        """Drops all series of a version that is served no longer; several workers' stay, as their sums need them."""
        if self._shared is not None:
            return
        for family in self._families:
            family.drop({"model": model, "version": str(version)})
        if self._last_s.pop((model, str(version)), None) is not None:
            self._last_answer.remove(model, str(version))


def _spent(requests: list[_Stages]) -> Iterator[tuple[Stage, list[float]]]:
    """Goes through the stages of requests, with how long each took; with several runs, some come more than once."""
    alike: dict[tuple[Stage, ...], list[_Stages]] = {}
    for stages in requests:
        alike.setdefault(tuple([stage for stage, _, _ in stages]), []).append(stages)
    for kinds, found in alike.items():
        columns = [[stages[place][2] - stages[place][1] for stages in found] for place in range(len(kinds))]
        for stage in dict.fromkeys(kinds):
            of_stage = [column for kind, column in zip(kinds, columns, strict=True) if kind is stage]
            yield stage, of_stage[0] if len(of_stage) == 1 else [sum(parts) for parts in zip(*of_stage, strict=True)]


class _Shared:
    """The files in which a worker shows its counts, in prometheus_client's format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pid = os.getpid()
        # prometheus_client has files of its own for its own counts; of gauges it knows the ended workers' by the name.
        names = {"gauge": f"gauge_livesum_{pid}.db"}
        names |= {kind: f"{kind}_hondo-{pid}.db" for kind in ("counter", "histogram", "summary")}
        self._files = {kind: MmapedDict(str(folder / name)) for kind, name in names.items()}  # type: ignore[no-untyped-call]
        self._keys: dict[tuple[str, str, tuple[str, ...], str | None], str] = {}

    def write(self, families: "Iterable[Family[Any]]") -> None:
        """Writes all counts."""
        for family in families:
            file = self._files[family.kind]
            for values, (suffix, bound, value) in family.samples(cumulative=False):
                at = (family.name, suffix, values, bound)
                key = self._keys.get(at)
                if key is None:
                    key = self._keys[at] = _key(family, *at)
                file.write_value(key, float(value), 0.0)  # type: ignore[no-untyped-call]


def _key(family: "Family[Any]", name: str, suffix: str, values: tuple[str, ...], bound: str | None) -> str:
    labels, of = list(family.labels), list(values)
    if bound is not None:
        labels, of = [*labels, "le"], [*of, bound]
    return mmap_key(name, name + suffix, labels, of, family.text)


def _note_build(registry: CollectorRegistry) -> None:
    """Says in a metric of value 1 what runs here."""
    build = PrometheusGauge(
        "hondo_build_info",
        "What runs here; always 1.",
        ("version", "onnxruntime"),
        registry=registry,
        multiprocess_mode="max",
    )
    build.labels(package_version("hondo"), onnxruntime.__version__).set(1)


def of_workers(folder: Path) -> CollectorRegistry:
    """Gives the sums over all workers that count in a folder."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return registry


def forget(pid: int, folder: Path) -> None:
    """Lets go of what an ended worker was in the middle of; what it had counted stays."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
