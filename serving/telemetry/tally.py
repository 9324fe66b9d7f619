"""The tally: what one graph's batcher counts of its requests and runs."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from serving.telemetry.counts import Counter, Family, Gauge, Histogram, PartOfGauge, SharedCounter


class Outcome(StrEnum):
    """How a request left the batcher."""

    ANSWERED = "answered"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


class _Nothing:
    """Stands for any metric where nothing is counted."""

    def inc(self, _amount: float = 1) -> None:
        """Counts nothing."""

    def set(self, _value: float) -> None:
        """Notes nothing."""

    def observe(self, _amount: float) -> None:
        """Observes nothing."""


class _NoRuns(dict[int, Any]):
    """Gives what counts nothing, whatever the rows."""

    def __missing__(self, rows: int) -> Any:
        return _NOTHING


class RunsByRows(dict[int, Histogram]):
    """What is counted for each number of rows of a run, made when it is first wanted."""

    def __init__(self, of_all: Family[Histogram], labels: tuple[str, ...]) -> None:
        super().__init__()
        self._of_all = of_all
        self._labels = labels

    def __missing__(self, rows: int) -> Histogram:
        self[rows] = made = self._of_all[*self._labels, str(rows)]
        return made


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one graph; safe to count on from any thread."""

    requests: Mapping[Outcome, Counter]
    # Rows that wait to run.
    queue_rows: Gauge
    # Rows a run, padding left out.
    batch_rows: Histogram
    # How long a run took; the same by its rows.
    run_seconds: Histogram
    run_seconds_by_rows: Mapping[int, Histogram]


@dataclass(frozen=True, slots=True)
class DecodeTally:
    """The counts of a model's decode loop; safe to count on from any thread."""

    # Jobs, by how they left the loop.
    requests: Mapping[Outcome, Counter]
    # Rows that wait for a slot: to begin, to go on, or for their reader.
    queue_rows: Gauge
    # Rows that hold a slot.
    running_rows: Gauge
    # Rows a run of "step", and of "prefill"; how long it took.
    step_rows: Histogram
    step_seconds: Histogram
    read_rows: Histogram
    read_seconds: Histogram
    # Tokens that were read and written.
    read_tokens: Counter
    written_tokens: Counter

    def shared(self, count: int) -> "list[DecodeTally]":
        """Gives what so many loops of the model count on, each with its own thread."""
        lock, queued, running = threading.Lock(), list[PartOfGauge](), list[PartOfGauge]()
        return [
            replace(
                self,
                queue_rows=PartOfGauge(self.queue_rows, queued, lock),
                running_rows=PartOfGauge(self.running_rows, running, lock),
                read_tokens=SharedCounter(self.read_tokens, lock),
                written_tokens=SharedCounter(self.written_tokens, lock),
            )
            for _ in range(count)
        ]


_NOTHING: Final[Any] = _Nothing()
NO_TALLY: Final = Tally(
    requests=dict.fromkeys(Outcome, _NOTHING),
    queue_rows=_NOTHING,
    batch_rows=_NOTHING,
    run_seconds=_NOTHING,
    run_seconds_by_rows=_NoRuns(),
)
NO_DECODE_TALLY: Final = DecodeTally(
    requests=dict.fromkeys(Outcome, _NOTHING),
    queue_rows=_NOTHING,
    running_rows=_NOTHING,
    step_rows=_NOTHING,
    step_seconds=_NOTHING,
    read_rows=_NOTHING,
    read_seconds=_NOTHING,
    read_tokens=_NOTHING,
    written_tokens=_NOTHING,
)
