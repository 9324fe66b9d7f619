"""Counts that are cheap to make, and right all the same."""

import threading

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client import Histogram as Reference

from serving.telemetry.counts import SECONDS, Counter, Family, Gauge, Histogram


def values(metric: Metric) -> dict[tuple[str, str], float]:
    """Gives the samples of a metric, by name and upper bound."""
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_histogram_is_that_of_prometheus_client() -> None:
    """Buckets, number and sum are those that prometheus_client's own histogram has of the same observations."""
    registry = CollectorRegistry()
    reference = Reference("h", "text", registry=registry, buckets=SECONDS)
    family = Family("histogram", "h", "text", (), lambda: Histogram(SECONDS))
    for seconds in (0.0, 1e-4, 1.1e-4, 0.25, 0.2500001, 3.0, 10.0, 11.0, 1e9):
        reference.observe(seconds)
        family[()].observe(seconds)
    (expected,) = registry.collect()
    assert values(family.collect()) == pytest.approx(values(expected))


def test_nothing_is_lost_between_threads() -> None:
    """Whatever several threads observe while others read and add up is counted once."""
    family = Family("histogram", "h", "text", (), lambda: Histogram(SECONDS))
    series = family[()]
    is_over = threading.Event()

    def observe() -> None:
        for _ in range(20_000):
            series.observe(0.5)

    def read() -> None:
        while not is_over.is_set():
            family.fold()
            values(family.collect())

    writers, readers = ([threading.Thread(target=what) for _ in range(3)] for what in (observe, read))
    for thread in (*writers, *readers):
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    for thread in readers:
        thread.join()
    found = values(family.collect())
    assert found["h_count", ""] == found["h_bucket", "+Inf"] == 60_000
    assert found["h_bucket", "0.25"] == 0
    assert found["h_sum", ""] == 30_000


def test_counters_and_gauges_are_told_under_their_labels() -> None:
    """Each set of labels has a series of its own, there from when it is first asked for."""
    counters = Family("counter", "c", "text", ("a",), Counter)
    counters[("x",)].inc()
    counters[("x",)].inc(2)
    assert counters[("y",)].value == 0
    told = {(sample.name, sample.labels["a"]): sample.value for sample in counters.collect().samples}
    assert told == {("c_total", "x"): 3, ("c_total", "y"): 0}
    gauges = Family("gauge", "g", "text", (), Gauge)
    gauges[()].set(5)
    gauges[()].set(4)
    assert values(gauges.collect()) == {("g", ""): 4}
