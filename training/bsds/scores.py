"""Scores of a detector over many pictures: ODS, OIS and AP, as Arbelaez et al., TPAMI 33 (2011), section 2, has them.

Legend: K thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.bsds.counts import Counts, together

# Between two thresholds precision and recall are taken to change evenly, in so many steps.
_STEPS: Final = 100
# Precision is averaged over recall in such steps.
_RECALL_STEP: Final = 0.01


@dataclass(frozen=True, slots=True)
class Point:
    """A detector at one threshold."""

    threshold: float
    precision: float
    recall: float

    @property
    def f(self) -> float:
        """The harmonic mean of precision and recall."""
        return f_measure(self.precision, self.recall)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a detector scores."""

    # At the one threshold that is best over all pictures.
    ods: Point
    # F with the best threshold for each picture.
    ois: float
    # Precision averaged over recall.
    ap: float
    # At every threshold, over all pictures.
    curve: tuple[Point, ...]


def thresholds(count: int) -> list[float]:
    """Gives so many thresholds, evenly between 0 and 1, both left out."""
    return [place / (count + 1) for place in range(1, count + 1)]


def f_measure(precision: float, recall: float) -> float:
    """Gives the harmonic mean; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def score(pictures: Sequence[Counts], thresholds: Sequence[float]) -> Scores:
    """Gives the scores over all pictures from the counts of each."""
    total = together(pictures)
    points = zip(thresholds, total.precision.tolist(), total.recall.tolist(), strict=True)
    curve = tuple(Point(threshold, precision, recall) for threshold, precision, recall in points)
    return Scores(ods=_best(curve), ois=_ois(pictures), ap=_average(total.precision, total.recall), curve=curve)


def _best(curve: Sequence[Point]) -> Point:
    """Gives the point of the highest F on the line through the curve's points."""
    best = curve[0]
    for start, end in pairwise(curve):
        for step in range(_STEPS + 1):
            between = _between(start, end, step / _STEPS)
            best = between if between.f > best.f else best
    return best


def _between(start: Point, end: Point, share: float) -> Point:
    return Point(
        start.threshold + share * (end.threshold - start.threshold),
        start.precision + share * (end.precision - start.precision),
        start.recall + share * (end.recall - start.recall),
    )


def _ois(pictures: Sequence[Counts]) -> float:
    total = together(picture.at(_best_place(picture)) for picture in pictures)
    return f_measure(float(total.precision[0]), float(total.recall[0]))


def _best_place(picture: Counts) -> int:
    pairs = zip(picture.precision.tolist(), picture.recall.tolist(), strict=True)
    return int(np.argmax([f_measure(precision, recall) for precision, recall in pairs]))


def _average(precision_K: NDArray[np.float64], recall_K: NDArray[np.float64]) -> float:
    """Gives the mean precision over all recalls from 0 to 1; it is 0 at those that no threshold reaches."""
    recall, first = np.unique(recall_K, return_index=True)
    at = np.arange(0, 1 + _RECALL_STEP / 2, _RECALL_STEP)
    return float(np.interp(at, recall, precision_K[first], left=0, right=0).sum() * _RECALL_STEP)
