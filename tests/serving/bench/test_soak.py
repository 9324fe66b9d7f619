"""The soak: what it calls a fault, and a short one of a real server."""

import sys
from dataclasses import replace
from typing import Any

import pytest

from protos.generate import ROOT
from serving.bench.soak import Sample, Soak, soak
from serving.bench.traffic import WRONG, Ended

MINUTES = 4


def good() -> Soak:
    """Gives a soak without a fault: a call a second, 10 ms each, memory that grows in the first minute alone."""
    samples = [Sample(60 * at / 10, min(200.0, 100 + 10 * at), 20) for at in range(10 * MINUTES + 1)]
    ended = [Ended("classify", float(at), 0.01, "OK", is_expected=False) for at in range(60 * MINUTES)]
    ended.append(Ended("classify", 60.0 * MINUTES - 1, 0.01, "CANCELLED", is_expected=True))
    return Soak(
        began_s=0.0,
        ended=ended,
        samples=samples,
        swaps=3,
        handles_before=20,
        handles_after=21,
        slots_after=0,
        tracebacks=0,
    )


def test_a_good_soak_has_no_fault() -> None:
    """What callers brought about is no fault, nor is memory that is taken once."""
    assert good().faults() == []
    assert good().p99_ms == pytest.approx([10.0] * MINUTES)
    assert good().mb_a_minute == pytest.approx(0, abs=1e-9)
    assert any("classify" in line and "241" in line for line in good().lines())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"slots_after": 2.0}, "2 rows wait or run on"),
        ({"handles_after": 60}, "40 file handles stay open"),
        ({"tracebacks": 1}, "1 tracebacks in the server's log"),
        ({"samples": [Sample(6.0 * at, 100.0 + 0.2 * at, 20) for at in range(41)]}, "memory grew by 2.00 MB a minute"),
    ],
)
def test_what_does_not_come_back_is_a_fault(change: dict[str, Any], fault: str) -> None:
    """Slots, handles and memory that are kept fail a soak, and so does a traceback in the log."""
    (found,) = replace(good(), **change).faults()
    assert found.startswith(fault)


def test_unexplained_ends_are_faults() -> None:
    """An error that no caller brought about, and an answer that is not as before, are named with their number."""
    more = [Ended("edges", 5.0, 0.1, "INTERNAL", is_expected=False, text="oh"), Ended("text", 6.0, 0.1, WRONG, False)]
    found = replace(good(), ended=sorted([*good().ended, *more, more[0]], key=lambda each: each.at_s)).faults()
    assert found == ["2 x edges: INTERNAL oh", f"1 x text: {WRONG}"]


def test_a_last_minute_that_is_slower_is_a_fault() -> None:
    """The last minute's p99 is held to the second's."""
    ended = [replace(each, took_s=0.02) if each.at_s >= 60 * (MINUTES - 1) else each for each in good().ended]
    assert replace(good(), ended=ended).faults() == ["p99 of the last minute is 2.00 times the second's, 1.3 allowed"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory and handles from /proc")
def test_a_short_soak_of_a_real_server() -> None:
    """Some seconds of traffic with swaps: all kinds of questions are asked, and none ends without reason."""
    came = soak(ROOT / "models", ["lenet5", "sobel"], 0.1, 2, 1.0)
    assert {each.kind for each in came.ended} == {"classify lenet5", "stream lenet5", "infer lenet5", "edges sobel"}
    assert not came.unexplained
    assert came.swaps > 0
    assert (came.slots_after, came.tracebacks) == (0, 0)
    assert came.handles_after <= came.handles_before + 8
