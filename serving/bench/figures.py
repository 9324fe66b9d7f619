"""Figures: what the calls of one load say of the server."""

from dataclasses import dataclass
from typing import Final

import grpc
import numpy as np
from numpy.typing import NDArray

from serving.bench.calls import Calls
from serving.bench.load import Load, Open, Window

_OK: Final = 0
_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode}
# What failed where the generator does not see which status it failed with.
NOT_OK: Final = "NOT_OK"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers took, milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Failures:
    """Calls that ended with one status other than OK."""

    count: int
    # None where the generator cannot tell them from the others.
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What one load measured."""

    # Answered OK.
    requests_per_s: float
    rows_per_s: float
    # Answered OK and in time: equals `requests_per_s` without a deadline.
    goodput_per_s: float
    # Of the calls answered OK; None where there is none.
    latency: Latency | None
    # By the name of the status.
    failures: dict[str, Failures]
    not_sent: int
    # Processor time a call, milliseconds, in the generator and in the server's processes; None where unknown.
    client_cpu_ms: float | None
    server_cpu_ms: float | None


def percentile_ms(latency_s: NDArray[np.float64], percent: float) -> float:
    """Gives the smallest latency that at least so many percent of the calls did not exceed (nearest rank)."""
    return float(np.percentile(latency_s, percent, method="inverted_cdf")) * 1000


def summarise(
    calls: Calls,
    window: Window,
    load: Load,
    *,
    rows: int,
    deadline_s: float | None = None,
    server_cpu_s: float | None = None,
) -> Figures:
    """Sums up a load.

    Rates count the answers that came within the window. Latencies are of those calls in a closed loop; in an open loop,
    of the calls that were due within it, however late their answers came, so that a growing queue shows.

    Args:
        calls: all calls of the load, those before and after the window too.
        window: when answers count.
        load: what load it was.
        rows: rows a request.
        deadline_s: how late an answer is worth having; unless given, however late.
        server_cpu_s: processor time of the server's processes in the window.
    """
    answered = (calls.done_s >= window.start_s) & (calls.done_s < window.end_s)
    judged = (calls.due_s >= window.start_s) & (calls.due_s < window.end_s) if isinstance(load, Open) else answered
    latency_s = calls.done_s - calls.due_s
    ok = calls.status == _OK
    in_time = ok if deadline_s is None else ok & (latency_s <= deadline_s)
    true_share = (1 - calls.hidden_failures) / window.seconds
    requests_per_s = float(np.count_nonzero(answered & ok)) * true_share
    return Figures(
        requests_per_s=requests_per_s,
        rows_per_s=requests_per_s * rows,
        goodput_per_s=float(np.count_nonzero(answered & in_time)) * true_share,
        latency=_latency(latency_s[judged & ok]),
        failures=_failures(latency_s[judged], calls.status[judged], calls.hidden_failures),
        not_sent=calls.not_sent,
        client_cpu_ms=_each_ms(calls.cpu_s, int(np.count_nonzero(answered))),
        server_cpu_ms=_each_ms(server_cpu_s, int(np.count_nonzero(answered))),
    )


def _latency(latency_s: NDArray[np.float64]) -> Latency | None:
    if not len(latency_s):
        return None
    p50_ms, p95_ms, p99_ms, max_ms = (percentile_ms(latency_s, percent) for percent in (50, 95, 99, 100))
    return Latency(p50_ms, p95_ms, p99_ms, max_ms)


def _failures(latency_s: NDArray[np.float64], status: NDArray[np.int16], hidden: float) -> dict[str, Failures]:
    failures = {}
    for number in sorted(set(status.tolist()) - {_OK}):
        of_status_s = latency_s[status == number]
        failures[_NAMES[number]] = Failures(len(of_status_s), percentile_ms(of_status_s, 99))
    if hidden:
        failures[NOT_OK] = Failures(round(hidden * np.count_nonzero(status == _OK)), None)
    return failures


def _each_ms(cpu_s: float | None, calls: int) -> float | None:
    return None if cpu_s is None or not calls else cpu_s * 1000 / calls
