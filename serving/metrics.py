"""The metrics of a server, under the names and in the units that Prometheus' manner asks for.

Several workers share a folder (PROMETHEUS_MULTIPROC_DIR, which prometheus_client reads when it is imported): each
counts into files of its own there, and `of_workers` adds them up, those of ended workers too, so that no count falls.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.decode.graphs import PREFILL, STEP
from serving.tally import DecodeTally, Outcome, Tally

# The name of the environment variable with the folder that workers share.
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

Series = TypeVar("Series", Counter, Gauge, Histogram)

_GRAPH: Final = ("model", "version", "graph")
_ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS: Final = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All that a server counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # The series that there are, by model and version.
        self._made: dict[tuple[str, ...], set[tuple[Counter | Gauge | Histogram, tuple[str, ...]]]] = defaultdict(set)
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
            "hondo_batch_rows", "Rows a run, padding left out.", _GRAPH, registry=self.registry, buckets=_ROWS
        )
        self._run_seconds = Histogram(
            "hondo_run_seconds", "How long a run of a graph took.", _GRAPH, registry=self.registry, buckets=_SECONDS
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

    def tally(self, model: str, version: int, graph: str) -> Tally:
        """Gives what counts for one graph; all of its series are there from now on, at 0."""
        of = (model, str(version), graph)
        return Tally(
            requests={outcome: self._one(self._requests, *of, outcome) for outcome in Outcome},
            queue_rows=self._one(self._queue_rows, *of),
            batch_rows=self._one(self._batch_rows, *of),
            run_seconds=self._one(self._run_seconds, *of),
        )

    def decode_tally(self, model: str, version: int, begins: str = PREFILL) -> DecodeTally:
        """Gives what counts for a model that writes tokens, likewise; `begins` is the graph before "step"."""
        read, step = (model, str(version), begins), (model, str(version), STEP)
        return DecodeTally(
            requests={outcome: self._one(self._requests, *step, outcome) for outcome in Outcome},
            queue_rows=self._one(self._queue_rows, *step),
            running_rows=self._one(self._running_rows, *step),
            step_rows=self._one(self._batch_rows, *step),
            step_seconds=self._one(self._run_seconds, *step),
            read_rows=self._one(self._batch_rows, *read),
            read_seconds=self._one(self._run_seconds, *read),
            read_tokens=self._one(self._tokens, *read),
            written_tokens=self._one(self._tokens, *step),
        )

    def forget(self, model: str, version: int) -> None:
        """Drops all series of a version that is served no longer; several workers' stay, as their sums need them."""
        for metric, labels in self._made.pop((model, str(version)), ()) if FOLDER not in os.environ else ():
            metric.remove(*labels)

    def _one(self, metric: Series, *labels: str) -> Series:
        self._made[labels[:2]].add((metric, labels))
        return metric.labels(*labels)


def of_workers(folder: Path) -> CollectorRegistry:
    """Gives the sums over all workers that count in a folder."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return registry


def forget(pid: int, folder: Path) -> None:
    """Lets go of what an ended worker was in the middle of; what it had counted stays."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
