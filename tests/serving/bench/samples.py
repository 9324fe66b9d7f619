"""Calls, points and reports made up by hand, for tests of what is computed from them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from serving.bench.calls import Calls
from serving.bench.figures import Failures, Figures, Latency
from serving.bench.load import Closed, Load, Open, Window
from serving.bench.machine import Machine
from serving.bench.points import Point, Reference
from serving.bench.rate import Rate
from serving.bench.raw import Explored, Setting
from serving.bench.report import Report
from serving.telemetry.watchdog import Lateness
from tests.hondo.pictures import encode, gradient

WINDOW = Window(begin_s=0, start_s=10, end_s=20)
BEST = Setting(rows=16, instances=2, threads=1, spinning=False)
SINGLE = Setting(rows=1, instances=1, threads=2, spinning=True)


def jpeg(width: int) -> bytes:
    """Gives a JPEG file so many pixels wide."""
    return encode(Image.fromarray(gradient(30, width)), "JPEG")


def calls(*each: tuple[float, float, int], not_sent: int = 0, hidden_failures: float = 0.0) -> Calls:
    """Makes calls of (due, answered, number of the status)."""
    due_s, done_s, status = zip(*each, strict=True) if each else ((), (), ())
    return Calls(
        due_s=np.array(due_s, np.float64),
        done_s=np.array(done_s, np.float64),
        status=np.array(status, np.int16),
        not_sent=not_sent,
        hidden_failures=hidden_failures,
    )


def figures(requests_per_s: float) -> Figures:
    """Makes figures of a load that went well but for two refusals."""
    return Figures(
        requests_per_s=requests_per_s,
        rows_per_s=requests_per_s,
        goodput_per_s=requests_per_s,
        latency=Latency(1.0, 2.0, 3.0, 4.0),
        failures={"RESOURCE_EXHAUSTED": Failures(2, 0.5)},
        not_sent=7,
        client_cpu_ms=0.25,
        server_cpu_ms=None,
    )


def point(load: Load) -> Point:
    """Makes a point of 80 requests/s where raw ONNX Runtime gives 90 before and 110 after."""
    echo = Reference(Rate(400, 1, None), Rate(400, 1, None), 80) if isinstance(load, Closed) else None
    raw = Reference(Rate(90, 1, 0.5), Rate(110, 1, 1.5), 80)
    return Point(load=load, served=figures(80), raw=raw, raw_setting=BEST, echo=echo, checked=5, wrong=0)


def report(loads: Sequence[Load] = (Closed(1), Closed(32), Open(50))) -> Report:
    """Makes a report of such points."""
    return Report(
        machine=Machine(2, "a processor", "a system", 0.0, {"hondo": "1"}),
        model="side",
        server="127.0.0.1:1",
        started=True,
        method="/a.B/C",
        rows=1,
        request_bytes=100,
        generator="python",
        seconds=1,
        deadline_ms=None,
        explored=Explored({BEST: Rate(100, 1, 1), SINGLE: Rate(50, 1, 1)}, BEST, SINGLE),
        points=[point(load) for load in loads],
        lateness=Lateness(1.5, 0.5, 10),
    )
