"""Rates: how much a machine did, how long each took and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast something was done, over and over."""

    # Rows, pictures or requests a second.
    per_s: float
    # How long one run, picture or request took, milliseconds.
    p50_ms: float
    # Processor time a row, picture or request, milliseconds; None where it was not measured. What other processes of a
    # busy machine take from a rate, they take less of this.
    cpu_ms: float | None


@dataclass(frozen=True, slots=True)
class Ran:
    """What one of several processes did."""

    # Of each run, seconds.
    took_s: Sequence[float]
    # Of all runs together, seconds.
    cpu_s: float


def together(rans: Sequence[Ran], rows: int) -> Rate:
    """Gives what processes that ran side by side did, so many rows a run."""
    took_s = np.concatenate([ran.took_s for ran in rans])
    return Rate(
        per_s=sum(rows * len(ran.took_s) / sum(ran.took_s) for ran in rans),
        p50_ms=float(np.median(took_s)) * 1000,
        cpu_ms=sum(ran.cpu_s for ran in rans) * 1000 / (rows * len(took_s)),
    )


def mean(rates: Sequence[Rate]) -> Rate:
    """Gives the mean of several measurements of the same."""
    cpu_ms = [rate.cpu_ms for rate in rates if rate.cpu_ms is not None]
    return Rate(
        per_s=float(np.mean([rate.per_s for rate in rates])),
        p50_ms=float(np.mean([rate.p50_ms for rate in rates])),
        cpu_ms=float(np.mean(cpu_ms)) if cpu_ms else None,
    )


def sharing(one: Rate, other: Rate) -> Rate:
    """Gives the rate of doing first the one, then the other to each row, where both share all cores.

    A row takes 1 / one.per_s of the whole machine's time for the one and 1 / other.per_s for the other.
    """
    cpu_ms = None if one.cpu_ms is None or other.cpu_ms is None else one.cpu_ms + other.cpu_ms
    return Rate(1 / (1 / one.per_s + 1 / other.per_s), one.p50_ms + other.p50_ms, cpu_ms)
