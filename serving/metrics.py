"""The metrics of a server, under the names and in the units that Prometheus' manner asks for.

Several workers share a folder (PROMETHEUS_MULTIPROC_DIR, which prometheus_client reads when it is imported): each
counts into files of its own there, and `of_workers` adds them up, those of ended workers too, so that no count falls.
"""

import os
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Final

import onnxruntime
from grpc import StatusCode
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, Summary
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from serving.course import Course, Stage
from serving.decode.graphs import PREFILL, STEP
from serving.histogram import BOUNDS, SECONDS, Family
from serving.tally import NO_DECODE_TALLY, NO_TALLY, DecodeTally, Outcome, RunsByRows, Tally

# The name of the environment variable with the folder that workers share.
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

_GRAPH: Final = ("model", "version", "graph")
_ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# The time of the last answer is noted once in so long at most.
_LAST_S: Final = 0.05

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


class Metrics(Collector):
    """All that a server counts."""

    def __init__(self, *, counts: bool = True) -> None:
        """Makes metrics at 0.

        Args:
            counts: whether anything is counted; where not, this costs nothing and tells nothing.
        """
        self.registry = CollectorRegistry()
        self.counts = counts
        self._requests = Counter(
            "hondo_requests_total",
            "Requests to a graph, by how they left its queue.",
            (*_GRAPH, "outcome"),
            registry=self.registry,
        )
        self._queue_rows = Gauge(
            "hondo_queue_rows", "Rows that wait to run.", _GRAPH, registry=self.registry, multiprocess_mode="livesum"
        )
        self._batch_rows = Histogram(
            BATCH_ROWS, "Rows a run, padding left out.", _GRAPH, registry=self.registry, buckets=_ROWS
        )
        self._run_seconds = Histogram(
            "hondo_run_seconds", "How long a run of a graph took.", _GRAPH, registry=self.registry, buckets=SECONDS
        )
        self._run_seconds_by_rows = Summary(
            RUN_SECONDS_BY_ROWS,
            "How long a run took, by its rows, padding left out.",
            (*_GRAPH, "rows"),
            registry=self.registry,
        )
        self._running_rows = Gauge(
            "hondo_running_rows",
            "Rows that hold a slot of a decode loop.",
            _GRAPH,
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._tokens = Counter(
            "hondo_tokens_total", "Tokens that a graph read or wrote.", _GRAPH, registry=self.registry
        )
        self._last_answer = Gauge(
            LAST_ANSWER,
            "When a model's last request was answered.",
            ("model", "version"),
            registry=self.registry,
            multiprocess_mode="max",
        )
        self._last_s: dict[tuple[str, str], float] = {}
        self._calls = Family(
            CALL_SECONDS,
            "From a request's arrival to its answer.",
            ("method", "model", "version", "code"),
            counter=("hondo_calls", "Requests, those of streams among them, by the gRPC status of their answer."),
        )
        self._first_message = Family(
            "hondo_first_message_seconds",
            "From a request's arrival to the first message of its answer, where that streams.",
            ("method", "model", "version"),
        )
        self._stages = {each: Family(STAGE_SECONDS[each], _STAGE_TEXTS[each], ("model", "version")) for each in Stage}
        self._shared = _Shared(Path(os.environ[FOLDER])) if FOLDER in os.environ else None
        self.registry.register(self)
        _note_build(self.registry)

    @property
    def _families(self) -> Iterable[Family]:
        return (self._calls, self._first_message, *self._stages.values())

    def collect(self) -> Iterator[Metric]:
        """Gives prometheus_client what is counted without it."""
        for family in self._families:
            yield from family.collect()

    def count(self, course: Course) -> None:
        """Counts a request that has ended; on the event loop alone."""
        model = (course.model, course.version)
        self._calls[course.method, *model, course.code.name].observe(course.ended_s - course.began_s)
        if course.first_message_s is not None:
            self._first_message[course.method, *model].observe(course.first_message_s - course.began_s)
        if course.stages:
            took_s: dict[Stage, float] = {}
            for each, began_s, ended_s in course.stages:
                took_s[each] = took_s.get(each, 0.0) + ended_s - began_s
            for each, seconds in took_s.items():
                self._stages[each][model].observe(seconds)
            if course.code is StatusCode.OK and course.ended_s - self._last_s.get(model, 0.0) > _LAST_S:
                self._last_s[model] = course.ended_s
                self._last_answer.labels(*model).set(time.time())

    def share(self) -> None:
        """Shows what was counted to the supervisor, where there is one; on the event loop alone."""
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
            requests={outcome: self._requests.labels(*of, outcome) for outcome in Outcome},
            queue_rows=self._queue_rows.labels(*of),
            batch_rows=self._batch_rows.labels(*of),
            run_seconds=self._run_seconds.labels(*of),
            run_seconds_by_rows=RunsByRows(self._run_seconds_by_rows, of),
        )

    def decode_tally(self, model: str, version: int) -> DecodeTally:
        """Gives what counts for a model that writes, likewise."""
        if not self.counts:
            return NO_DECODE_TALLY
        read, step = (model, str(version), PREFILL), (model, str(version), STEP)
        return DecodeTally(
            requests={outcome: self._requests.labels(*step, outcome) for outcome in Outcome},
            queue_rows=self._queue_rows.labels(*step),
            running_rows=self._running_rows.labels(*step),
            step_rows=self._batch_rows.labels(*step),
            step_seconds=self._run_seconds.labels(*step),
            read_rows=self._batch_rows.labels(*read),
            read_seconds=self._run_seconds.labels(*read),
            read_tokens=self._tokens.labels(*read),
            written_tokens=self._tokens.labels(*step),
        )


class _Shared:
    """The file in which a worker shows its families, in prometheus_client's format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        name = f"hondo-{os.getpid()}.db"
        self._histograms = MmapedDict(str(folder / f"histogram_{name}"))  # type: ignore[no-untyped-call]
        self._counters = MmapedDict(str(folder / f"counter_{name}"))  # type: ignore[no-untyped-call]

    def write(self, families: Iterable[Family]) -> None:
        """Writes all counts."""
        for family in families:
            for values, series in family:
                self._write_histogram(family, values, series.counts, series.sum_s)
                if family.counter:
                    name, text = family.counter
                    key = mmap_key(name, f"{name}_total", list(family.labels), list(values), text)
                    self._counters.write_value(key, float(sum(series.counts)), 0.0)  # type: ignore[no-untyped-call]

    def _write_histogram(self, family: Family, values: tuple[str, ...], counts: list[int], sum_s: float) -> None:
        name, labels, text = family.name, list(family.labels), family.text
        key = mmap_key(name, f"{name}_sum", labels, list(values), text)
        self._histograms.write_value(key, sum_s, 0.0)  # type: ignore[no-untyped-call]
        for bound, count in zip(BOUNDS, counts, strict=True):
            key = mmap_key(name, f"{name}_bucket", [*labels, "le"], [*values, bound], text)
            self._histograms.write_value(key, float(count), 0.0)  # type: ignore[no-untyped-call]


def _note_build(registry: CollectorRegistry) -> None:
    """Says in a metric of value 1 what runs here."""
    build = Gauge(
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
