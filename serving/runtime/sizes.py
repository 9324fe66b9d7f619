"""The batch sizes that a session runs at: all warmed, and the best one for so many rows known by measurement."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Self

_REPEATS: Final = 4
# Long runs vary little: no further one after so long.
_ENOUGH_S: Final = 1.0
# A larger batch must save so much of a row's time, or the smaller one, which answers sooner, is preferred.
_GAIN: Final = 0.02


@dataclass(frozen=True, slots=True)
class Sizes:
    """The batch sizes that a session was warmed at, ascending, with the seconds that a run of each takes."""

    sizes: tuple[int, ...]
    run_s: tuple[float, ...]
    # How many numbers each row had, where requests choose how many; None where all rows have as many.
    row_numbers: int | None = None

    @classmethod
    def measure(
        cls, prepare: Callable[[int], Callable[[], object]], largest: int, row_numbers: int | None = None
    ) -> Self:
        """Runs batches of 1, 2, 4, ... rows until two doublings saved no time a row, or `largest` is reached.

        Args:
            prepare: gives what runs so many rows.
            largest: rows at most.
            row_numbers: how many numbers each of these rows has, where requests choose how many.
        """
        sizes: list[int] = []
        run_s: list[float] = []
        size = 1
        while True:
            sizes.append(size)
            run_s.append(best_s(prepare(size)))
            best = _best(sizes, run_s)
            if size == largest or len(sizes) - best > 2:
                return cls(tuple(sizes[: best + 1]), tuple(run_s[: best + 1]), row_numbers)
            size = min(2 * size, largest)

    @classmethod
    def alone(cls) -> Self:
        """Gives the sizes of a graph whose requests each run alone: each counts as one row."""
        return cls((1,), (1.0,))

    @property
    def largest(self) -> int:
        """Rows that one run takes at most."""
        return self.sizes[-1]

    def choose(self, waiting_rows: int) -> int:
        """Gives how many of the waiting rows the next run should take: those of the size that serves most a second."""
        served = [min(waiting_rows, size) for size in self.sizes]
        return served[_best(served, self.run_s)]

    def padded(self, rows: int) -> int:
        """Gives the size of a run for so many rows: the next one that was warmed.

        Rows whose size requests choose were not warmed at theirs: they run as many as they are.
        """
        return rows if self.row_numbers is not None else next(size for size in self.sizes if size >= rows)

    def of_rows(self, row_numbers: int) -> "Sizes":
        """Gives the sizes for rows of so many numbers: together no more than the largest run that was measured."""
        if self.row_numbers is None:
            return self
        most = max(1, self.largest * self.row_numbers // max(1, row_numbers))
        count = sum(size <= most for size in self.sizes)
        return replace(self, sizes=self.sizes[:count], run_s=self.run_s[:count])


def _best(rows: "list[int]", run_s: "list[float] | tuple[float, ...]") -> int:
    """Gives the position that serves most rows a second; of those about as good, the first."""
    best = 0
    for position, (served, took_s) in enumerate(zip(rows, run_s, strict=True)):
        if took_s / served < (1 - _GAIN) * run_s[best] / rows[best]:
            best = position
    return best


def best_s(run: Callable[[], object]) -> float:
    """Warms a run, then gives the shortest of a few, in seconds."""
    run()  # the first run at a size plans its memory
    took_s: list[float] = []
    while len(took_s) < _REPEATS and sum(took_s) < _ENOUGH_S:
        started_s = time.perf_counter()
        run()
        took_s.append(time.perf_counter() - started_s)
    return min(took_s)
