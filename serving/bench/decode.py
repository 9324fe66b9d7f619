"""Decoding: how many pictures a second this machine makes ready for a model, doing nothing else."""

import time
from dataclasses import dataclass
from typing import Final

from serving.bench.crew import Crew
from serving.bench.questions import Pictures
from serving.bench.rate import Ran, Rate, together

# From giving out the work until all processes have it.
_LEAD_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class _Work:
    pictures: Pictures
    # When to begin, on the machine's monotonic clock, and for how long.
    begin_s: float
    seconds: float


def rate(crew: Crew, pictures: Pictures, processes: int, seconds: float) -> Rate:
    """Gives how many pictures a second so many processes read together, with the code that serves."""
    work = _Work(pictures, time.monotonic() + _LEAD_S, seconds)
    return together(crew.do(_read, [work] * processes), rows=1)


def _read(work: _Work) -> Ran:
    files = work.pictures.files
    time.sleep(max(0.0, work.begin_s - time.monotonic()))
    took_s: list[float] = []
    cpu_s = time.process_time()
    now_s = started_s = time.perf_counter()
    while now_s < started_s + work.seconds or not took_s:
        work.pictures.read(files[len(took_s) % len(files)])
        before_s, now_s = now_s, time.perf_counter()
        took_s.append(now_s - before_s)
    return Ran(took_s, time.process_time() - cpu_s)
