import numpy as np
import pytest

from serving.bench.calls import merge
from serving.bench.figures import NOT_OK, Failures, percentile_ms, summarise
from serving.bench.load import Closed, Open
from tests.serving.bench.samples import WINDOW, calls

OK, EXHAUSTED, DEADLINE = 0, 8, 4


@pytest.mark.parametrize(("percent", "expected_ms"), [(50, 50), (95, 95), (99, 99), (99.5, 100), (100, 100), (0.5, 1)])
def test_percentile_is_a_latency_that_occurred(percent: float, expected_ms: float) -> None:
    """A percentile is the smallest latency that so many percent of the calls did not exceed: no value between two."""
    latency_s = np.random.default_rng(0).permutation(np.arange(1, 101) / 1000)
    assert percentile_ms(latency_s, percent) == pytest.approx(expected_ms)


def test_rates_count_answers_within_the_window() -> None:
    """Throughput counts what was answered in the window, whenever it was sent, and nothing before or after."""
    some = calls((8, 9, OK), (9, 10, OK), (12, 13, OK), (19, 20, OK))
    found = summarise(some, WINDOW, Closed(1), rows=3)
    assert found.requests_per_s == pytest.approx(0.2)
    assert found.rows_per_s == pytest.approx(0.6)
    assert found.goodput_per_s == found.requests_per_s


def test_goodput_leaves_out_what_came_late() -> None:
    """An answer that took longer than the deadline counts as throughput, but not as goodput."""
    found = summarise(calls((10, 11, OK), (10, 14, OK)), WINDOW, Closed(2), rows=1, deadline_s=2)
    assert found.requests_per_s == pytest.approx(0.2)
    assert found.goodput_per_s == pytest.approx(0.1)


def test_open_loop_judges_calls_by_when_they_were_due() -> None:
    """Latencies of an open loop include answers that came long after the window, or a growing queue would not show."""
    some = calls((9, 12, OK), (19, 49, OK))
    opened, closed = (summarise(some, WINDOW, load, rows=1).latency for load in (Open(1), Closed(1)))
    assert opened is not None
    assert opened.max_ms == pytest.approx(30_000)
    assert closed is not None
    assert closed.max_ms == pytest.approx(3_000)


def test_failures_are_counted_by_status() -> None:
    """Each status other than OK has its count and its own latency, and neither is in the latency of the answers."""
    some = calls((10, 11, OK), (10, 10.5, EXHAUSTED), (10, 10.25, EXHAUSTED), (10, 15, DEADLINE))
    found = summarise(some, WINDOW, Closed(1), rows=1)
    assert found.failures == {"DEADLINE_EXCEEDED": Failures(1, 5000), "RESOURCE_EXHAUSTED": Failures(2, 500)}
    assert found.latency is not None
    assert found.latency.max_ms == pytest.approx(1000)
    assert found.requests_per_s == pytest.approx(0.1)


def test_failures_that_a_generator_cannot_see_are_taken_off() -> None:
    """Where only the share of hidden failures is known, rates are lowered by it and the failures counted."""
    found = summarise(calls(*[(10, 11, OK)] * 100, hidden_failures=0.25), WINDOW, Closed(1), rows=1)
    assert found.requests_per_s == pytest.approx(7.5)
    assert found.failures == {NOT_OK: Failures(25, None)}


def test_no_answer_has_no_latency() -> None:
    """A load without an answer gives zeros and no latency, not an error."""
    found = summarise(calls(), WINDOW, Closed(1), rows=1)
    assert (found.requests_per_s, found.latency, found.failures, found.server_cpu_ms) == (0, None, {}, None)


def test_merged_calls_are_all_calls() -> None:
    """Calls of several processes are put together, what was not sent included."""
    whole = merge([calls((10, 11, OK), not_sent=1), calls((12, 13, DEADLINE), (14, 15, OK), not_sent=2)])
    assert (whole.due_s.tolist(), whole.status.tolist(), whole.not_sent) == ([10, 12, 14], [0, 4, 0], 3)
    assert whole.cpu_s is None
