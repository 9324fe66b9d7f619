"""Loads: so many calls under way at once, or calls that arrive at a rate, whether or not the last was answered."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Calls under way at once in an open loop, in all; those that would be more are not sent, but reported.
MAX_IN_FLIGHT: Final = 1000


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed loop: each answer is followed at once by the next call, as if so many users did nothing else."""

    concurrency: int

    def __str__(self) -> str:
        return f"{self.concurrency} at once"


@dataclass(frozen=True, slots=True)
class Open:
    """An open loop: calls arrive as those of many users who know nothing of each other, a Poisson process."""

    rate_per_s: float

    def __str__(self) -> str:
        return f"{self.rate_per_s:g}/s"


Load = Closed | Open


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How each load is put on a server."""

    # How long answers count, seconds.
    seconds: float
    # How long the load runs before they count, seconds.
    warm_up_s: float
    # None leaves it to the load.
    connections: int | None = None
    # The deadline that calls carry, seconds; None for none.
    deadline_s: float | None = None
    # Calls without a deadline are given up after so many seconds.
    patience_s: float = 30.0

    def connections_of(self, load: Load) -> int:
        """Gives how many connections share a load: at most one for each call that can be under way."""
        wanted = self.connections or 4
        return min(wanted, load.concurrency) if isinstance(load, Closed) else wanted


@dataclass(frozen=True, slots=True)
class Window:
    """When a load begins, when its answers begin to count and when it ends, on the machine's monotonic clock."""

    begin_s: float
    start_s: float
    end_s: float

    @classmethod
    def at(cls, begin_s: float, pace: Pace) -> "Window":
        """Gives the window of a load that begins then."""
        return cls(begin_s, begin_s + pace.warm_up_s, begin_s + pace.warm_up_s + pace.seconds)

    @property
    def seconds(self) -> float:
        """How long answers count."""
        return self.end_s - self.start_s


def arrivals_s(rate_per_s: float, seconds: float, seed: int) -> NDArray[np.float64]:
    """Gives when calls arrive, seconds from the start, ascending: a Poisson process.

    Given how many arrive, their times are independent and uniform (Kingman, Poisson Processes, section 2.4).
    """
    random = np.random.default_rng(seed)
    return np.sort(random.uniform(0, seconds, random.poisson(rate_per_s * seconds)))
