"""Counters, gauges and histograms that cost a request almost nothing, in Prometheus' sense and format.

prometheus_client's own take 0.7 to 1.4 µs each, of which a request and its run have a dozen: that took more than 3 % of
what a server of a small net gives. Here to observe is to append to an array (0.05 µs); arrays are added up a few times
a second, and when somebody reads. Any thread may observe; of a counter or a gauge there is one writer.
"""

import threading
from array import array
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from prometheus_client import Metric
from prometheus_client.utils import floatToGoString

SECONDS: Final = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

# What a sample's name ends with, its upper bound if it has one, and its value.
_Sample = tuple[str, str | None, float]


class Series(Protocol):
    """What is counted under one set of labels."""

    def fold(self) -> None:
        """Adds up what was observed."""

    def samples(self, *, cumulative: bool) -> Iterator[_Sample]:
        """Gives what a reader sees; buckets with those below them, and their number, or each by itself."""


class Counter:
    """How often something happened."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, amount: int = 1) -> None:
        """Counts."""
        self.value += amount

    def fold(self) -> None:
        """Does nothing."""

    def samples(self, *, cumulative: bool) -> Iterator[_Sample]:
        """Gives the value."""
        yield "_total", None, self.value


class Gauge:
    """How much there is of something."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def set(self, value: int) -> None:
        """Notes how much there is."""
        self.value = value

    def fold(self) -> None:
        """Does nothing."""

    def samples(self, *, cumulative: bool) -> Iterator[_Sample]:
        """Gives the value."""
        yield "", None, self.value


class SharedCounter(Counter):
    """A counter that several threads count on.

    Args:
        whole: what it counts for.
        lock: whoever counts for it holds this.
    """

    __slots__ = ("_lock", "_whole")

    def __init__(self, whole: Counter, lock: threading.Lock) -> None:
        super().__init__()
        self._whole = whole
        self._lock = lock

    def inc(self, amount: int = 1) -> None:
        """Counts."""
        with self._lock:
            self._whole.inc(amount)


class PartOfGauge(Gauge):
    """One of several parts of a gauge, each set by another thread: the gauge is their sum.

    Args:
        whole: the gauge.
        parts: the values of all parts.
        lock: whoever sets one holds this.
    """

    __slots__ = ("_lock", "_parts", "_whole")

    def __init__(self, whole: Gauge, parts: "list[PartOfGauge]", lock: threading.Lock) -> None:
        super().__init__()
        self._whole = whole
        self._parts = parts
        self._lock = lock
        parts.append(self)

    def set(self, value: int) -> None:
        """Notes how much there is of this part."""
        with self._lock:
            self.value = value
            self._whole.set(sum(part.value for part in self._parts))


class Histogram:
    """How large something was, each time; without bounds, only their number and sum."""

    __slots__ = ("_bounds", "_counts", "_lock", "_pending", "_sum", "observe", "observe_all")

    def __init__(self, bounds: tuple[float, ...] = ()) -> None:
        self._bounds = bounds
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0
        # Plain numbers, not Python's objects, which would push what requests need out of the processor's caches.
        self._pending = array("d")
        self._lock = threading.Lock()
        # Notes how large something was.
        self.observe: Callable[[float], None] = self._pending.append
        # Likewise, of many.
        self.observe_all: Callable[[list[float]], None] = self._pending.extend

    def fold(self) -> None:
        """Adds up what was observed."""
        if not self._pending:
            return
        with self._lock:
            count = len(self._pending)
            values = np.frombuffer(self._pending[:count])
            del self._pending[:count]  # what others observe meanwhile is behind these
            places = np.searchsorted(self._bounds, values)
            self._counts += np.bincount(places, minlength=len(self._counts))
            self._sum += float(values.sum())

    def samples(self, *, cumulative: bool) -> Iterator[_Sample]:
        """Gives the buckets, the number where they are cumulative, and the sum."""
        self.fold()
        counts, sum_ = self._counts.tolist(), self._sum
        if self._bounds:
            bounds = [_in_go(bound) for bound in (*self._bounds, float("inf"))]
            for bound, count in zip(bounds, accumulate(counts) if cumulative else counts, strict=True):
                yield "_bucket", bound, count
        if cumulative or not self._bounds:
            yield "_count", None, sum(counts)
        yield "_sum", None, sum_


def _in_go(bound: float) -> str:
    """Gives a bound as Prometheus writes it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


Counted = TypeVar("Counted", bound=Series)


class Family(Generic[Counted]):
    """The series of one name, by their labels."""

    def __init__(self, kind: str, name: str, text: str, labels: tuple[str, ...], make: Callable[[], Counted]) -> None:
        """Makes a family without series.

        Args:
            kind: counter, gauge, histogram or summary, as Prometheus has them.
            name: as Prometheus will know it, without a counter's "_total".
            text: what is counted.
            labels: their names.
            make: makes a series.
        """
        self.kind = kind
        self.name = name
        self.text = text
        self.labels = labels
        self._make = make
        self._series: dict[tuple[str, ...], Counted] = {}

    def __getitem__(self, values: tuple[str, ...]) -> Counted:
        """Gives the series with these labels, which is made where it is new."""
        series = self._series.get(values)
        if series is None:
            series = self._series.setdefault(values, self._make())
        return series

    def drop(self, labels: Mapping[str, str]) -> None:
        """Drops all series that have these labels."""
        wanted = [(self.labels.index(name), value) for name, value in labels.items()]
        for values in list(self._series):
            if all(values[place] == value for place, value in wanted):
                del self._series[values]

    def fold(self) -> None:
        """Adds up what was observed."""
        for series in list(self._series.values()):
            series.fold()

    def samples(self, *, cumulative: bool) -> Iterator[tuple[tuple[str, ...], _Sample]]:
        """Goes through the samples of all series, with their labels; others may count meanwhile."""
        for values, series in list(self._series.items()):
            for sample in series.samples(cumulative=cumulative):
                yield values, sample

    def collect(self) -> Metric:
        """Gives what Prometheus reads."""
        metric = Metric(self.name, self.text, self.kind)
        for values, (suffix, bound, value) in self.samples(cumulative=True):
            labels = dict(zip(self.labels, values, strict=True))
            metric.add_sample(self.name + suffix, labels if bound is None else {**labels, "le": bound}, value)
        return metric
