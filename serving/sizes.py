"""The batch sizes that a session runs at: all warmed, and the best one for so many rows known by measurement."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

_REPEATS: Final = 3
# A larger batch must save so much of a row's time, or the smaller one, which answers sooner, is preferred.
_GAIN: Final = 0.03


@dataclass(frozen=True, slots=True)
class Sizes:
    """The batch sizes that a session was warmed at, ascending, with the seconds that a run of each takes.

    Without times (a graph whose other dimensions are free cannot be measured), runs have any size up to the largest.
    """

    sizes: tuple[int, ...]
    run_s: tuple[float, ...] = ()

    @classmethod
    def measure(cls, run: Callable[[int], object], largest: int) -> Self:
        """Runs batches of 1, 2, 4, ... rows until two doublings saved no time a row, or `largest` is reached."""
        sizes: list[int] = []
        run_s: list[float] = []
        size = 1
        while True:
            sizes.append(size)
            run_s.append(_best_s(run, size))
            best = _best(sizes, run_s)
            if size == largest or len(sizes) - best > 2:
                return cls(tuple(sizes[: best + 1]), tuple(run_s[: best + 1]))
            size = min(2 * size, largest)

    @property
    def largest(self) -> int:
        """Rows that one run takes at most."""
        return self.sizes[-1]

    @property
    def row_s(self) -> float:
        """Seconds a row in a run of the largest size; 0 where not measured."""
        return self.run_s[-1] / self.largest if self.run_s else 0.0

    def choose(self, waiting_rows: int) -> int:
        """Gives how many of the waiting rows the next run should take: those of the size that serves most a second."""
        if not self.run_s:
            return min(waiting_rows, self.largest)
        served = [min(waiting_rows, size) for size in self.sizes]
        return served[_best(served, self.run_s)]

    def padded(self, rows: int) -> int:
        """Gives the size of a run for so many rows: the next one that was warmed."""
        if not self.run_s:
            return rows
        return next(size for size in self.sizes if size >= rows)


def _best(rows: "list[int]", run_s: "list[float] | tuple[float, ...]") -> int:
    """Gives the position that serves most rows a second; of those about as good, the first."""
    best = 0
    for position, (served, took_s) in enumerate(zip(rows, run_s, strict=True)):
        if took_s / served < (1 - _GAIN) * run_s[best] / rows[best]:
            best = position
    return best


def _best_s(run: Callable[[int], object], size: int) -> float:
    run(size)  # the first run at a size plans its memory
    took_s = []
    for _ in range(_REPEATS):
        started_s = time.perf_counter()
        run(size)
        took_s.append(time.perf_counter() - started_s)
    return min(took_s)
