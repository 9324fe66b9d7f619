import numpy as np
import pytest

from serving.bench.load import Closed, Open, Pace, Window, arrivals_s


def test_arrivals_come_from_the_seed() -> None:
    """The same seed gives the same arrivals, another seed gives others."""
    assert np.array_equal(arrivals_s(100, 5, 1), arrivals_s(100, 5, 1))
    assert not np.array_equal(arrivals_s(100, 5, 1)[:10], arrivals_s(100, 5, 2)[:10])


def test_arrivals_are_a_poisson_process() -> None:
    """The gaps between arrivals have the right mean and, as exponential ones do, as much standard deviation."""
    times_s = arrivals_s(1000, 100, 0)
    gaps_s = np.diff(times_s)
    assert gaps_s.min() >= 0
    assert times_s[0] >= 0
    assert times_s[-1] <= 100
    assert gaps_s.mean() == pytest.approx(1 / 1000, rel=0.02)
    assert gaps_s.std() == pytest.approx(1 / 1000, rel=0.02)


def test_no_more_connections_than_calls() -> None:
    """A closed loop has no connection that would always be idle."""
    pace = Pace(seconds=1, warm_up_s=0)
    assert [pace.connections_of(load) for load in (Closed(1), Closed(3), Closed(32), Open(1))] == [1, 3, 4, 4]


def test_window_follows_the_pace() -> None:
    """Answers count from the end of the warm-up, for as long as asked for."""
    window = Window.at(5, Pace(seconds=2, warm_up_s=1))
    assert (window.start_s, window.end_s, window.seconds) == (6, 8, 2)
