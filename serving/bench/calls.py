"""Calls: what became of each call of a load."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serving.bench.load import Load, Pace, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What became of the calls of a load; N calls, in no order."""

    # f64[N]: when each was due, seconds on the machine's monotonic clock. Time spent waiting to be sent counts.
    due_s: NDArray[np.float64]
    # f64[N]: when each was answered, or failed.
    done_s: NDArray[np.float64]
    # i16[N]: the number of its gRPC status.
    status: NDArray[np.int16]
    # Calls due in the window that were not sent, as too many were under way.
    not_sent: int = 0
    # Processor time that sending them took in the window, seconds; None where it cannot be told.
    cpu_s: float | None = None
    # Share of a core that the busiest process with only one to use used in the window.
    busy: float = 0.0
    # Share of the calls that were not answered OK although `status` has them as OK: a generator that sees no gRPC
    # status knows only how many they are.
    hidden_failures: float = 0.0
    # Some of the answers: which request, and the answer's bytes.
    samples: Sequence[tuple[int, bytes]] = field(default=())


# Puts a load on the server at HOST:PORT whose processes are those; gives the calls, when they count, and the server's
# processor time meanwhile, seconds.
Drive = Callable[[str, Load, Pace, frozenset[int]], tuple[Calls, Window, float | None]]


def merge(parts: Sequence[Calls]) -> Calls:
    """Puts together the calls of several processes."""
    cpu_s = [part.cpu_s for part in parts if part.cpu_s is not None]
    return Calls(
        due_s=np.concatenate([part.due_s for part in parts]),
        done_s=np.concatenate([part.done_s for part in parts]),
        status=np.concatenate([part.status for part in parts]),
        not_sent=sum(part.not_sent for part in parts),
        cpu_s=sum(cpu_s) if cpu_s else None,
        busy=max(part.busy for part in parts),
        hidden_failures=max(part.hidden_failures for part in parts),
        samples=[sample for part in parts for sample in part.samples],
    )
