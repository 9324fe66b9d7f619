import pytest

from serving.bench.points import Reference
from serving.bench.rate import Ran, Rate, mean, sharing, together


def test_ratio_is_to_the_mean_of_before_and_after() -> None:
    """The reference of a served load is the mean of what was measured before and after it."""
    reference = Reference(Rate(80, 1, None), Rate(120, 1, None), 90)
    assert reference.per_s == 100
    assert reference.ratio == pytest.approx(0.9)


def test_sharing_adds_times() -> None:
    """Two things that share a machine take the sum of their times for each row."""
    both = sharing(Rate(100, 10, 20), Rate(25, 40, 80))
    assert both.per_s == pytest.approx(20)
    assert (both.p50_ms, both.cpu_ms) == (50, 100)
    assert sharing(Rate(100, 10, None), Rate(25, 40, 80)).cpu_ms is None


def test_processes_side_by_side_add_up() -> None:
    """Rates of processes add up; processor time is shared among all their rows."""
    rate = together([Ran([0.5, 0.5], 1.0), Ran([0.25] * 4, 1.0)], rows=2)
    assert rate.per_s == pytest.approx(4 + 8)
    assert rate.p50_ms == pytest.approx(250)
    assert rate.cpu_ms == pytest.approx(2000 / 12)


def test_mean_of_measurements() -> None:
    """Several measurements of the same give their mean."""
    assert mean([Rate(1, 2, 3), Rate(3, 4, 5)]) == Rate(2, 3, 4)
