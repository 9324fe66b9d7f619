"""Limits: each client has its share, and no more."""

from contextlib import ExitStack

import pytest

from hondo.errors import Overloaded
from serving.access import limits
from serving.access.limits import Limits


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Gives the seconds."""
        return self.now_s


def call(of: Limits, name: str = "ann") -> None:
    with of.call(name):
        pass


def test_calls_at_once_are_limited_for_each_client() -> None:
    """A client that has as many calls under way as it may is refused; others are not; an ended call makes room."""
    limited = Limits(None, 2)
    with ExitStack() as under_way:
        under_way.enter_context(limited.call("ann"))
        with limited.call("ann"), pytest.raises(Overloaded) as refused, limited.call("ann"):
            pass
        assert refused.value.retry_after_s > 0
        call(limited)
        call(limited, "bob")
    with limited.call("ann"), limited.call("ann"):
        pass


def test_a_call_that_fails_makes_room() -> None:
    """However a call ends, it is not under way any more."""
    limited = Limits(None, 1)
    for _ in range(3):
        with pytest.raises(KeyError), limited.call("ann"):
            raise KeyError
    call(limited)


def test_rate_is_limited_for_each_client() -> None:
    """A second's worth may come at once; then as many as time allows, and the refusal says how long that takes."""
    clock = Clock()
    limited = Limits(4.0, None, clock)
    for _ in range(4):
        call(limited)
    with pytest.raises(Overloaded) as refused:
        call(limited)
    assert refused.value.retry_after_s == pytest.approx(0.25)
    call(limited, "bob")
    clock.now_s += refused.value.retry_after_s
    call(limited)
    with pytest.raises(Overloaded):
        call(limited)
    clock.now_s += 3600
    for _ in range(4):
        call(limited)
    with pytest.raises(Overloaded):
        call(limited)


def test_slow_rate_admits_the_first_call() -> None:
    """Less than one call a second still means one call, and then a wait."""
    clock = Clock()
    limited = Limits(0.1, None, clock)
    call(limited)
    with pytest.raises(Overloaded) as refused:
        call(limited)
    assert refused.value.retry_after_s == pytest.approx(10)


def test_those_who_left_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of clients that come once take no memory for good, and who has a call under way is remembered."""
    monkeypatch.setattr(limits, "_MANY", 10)
    clock = Clock()
    limited = Limits(2.0, 1, clock)
    with limited.call("ann"):
        for number in range(1000):
            call(limited, str(number))
            clock.now_s += 0.2
        assert len(limited._clients) < 20
        with pytest.raises(Overloaded):
            call(limited)
