"""What a map of edges has right and wrong at each threshold, beside what several people drew in the same picture.

A predicted pixel is right where it matches what any of the people drew; what each of them drew counts for itself as
found or not: Martin, Fowlkes, Malik, "Learning to Detect Natural Image Boundaries", TPAMI 26 (2004), section 3.2.

Legend: H height, W width, A annotators, K thresholds, C candidates (pixels that may be predicted).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bsds import skeleton
from training.bsds.matching import Matcher

Count = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Pixels of a picture, or of several together, at each threshold."""

    # Predicted pixels, and how many of them match what somebody drew.
    predicted_K: Count
    right_K: Count
    # Pixels that people drew, each person's for themselves, and how many of them were found.
    drawn_K: Count
    found_K: Count

    @property
    def precision(self) -> NDArray[np.float64]:
        """f64[K]: share of the predicted pixels that are right; 0 where there is none."""
        return self.right_K / np.maximum(self.predicted_K, 1)

    @property
    def recall(self) -> NDArray[np.float64]:
        """f64[K]: share of the drawn pixels that were found; 0 where there is none."""
        return self.found_K / np.maximum(self.drawn_K, 1)

    def at(self, place: int) -> "Counts":
        """Gives the counts at one threshold."""
        only = slice(place, place + 1)
        return Counts(self.predicted_K[only], self.right_K[only], self.drawn_K[only], self.found_K[only])


def together(counts: Iterable[Counts]) -> Counts:
    """Adds up the counts of several pictures."""
    each = list(counts)
    return Counts(
        predicted_K=np.sum([count.predicted_K for count in each], axis=0),
        right_K=np.sum([count.right_K for count in each], axis=0),
        drawn_K=np.sum([count.drawn_K for count in each], axis=0),
        found_K=np.sum([count.found_K for count in each], axis=0),
    )


def of_map(edges_HW: NDArray[np.float32], boundaries_AHW: NDArray[np.bool_], thresholds: Sequence[float]) -> Counts:
    """Counts for a map of edges, which is thinned at each threshold.

    Args:
        edges_HW: 0 to 1.
        boundaries_AHW: what each person drew.
        thresholds: what is at least so strong is predicted.
    """
    return _counts([skeleton.thinned(edges_HW >= threshold) for threshold in thresholds], boundaries_AHW)


def of_person(boundaries_AHW: NDArray[np.bool_], person: int) -> Counts:
    """Counts for what one of the people drew, beside what the others did."""
    return _counts([boundaries_AHW[person]], np.delete(boundaries_AHW, person, axis=0))


def _counts(predicted: Sequence[NDArray[np.bool_]], boundaries_AHW: NDArray[np.bool_]) -> Counts:
    is_candidate_HW = np.any(predicted, axis=0)
    matchers = [Matcher(drawn_HW, np.argwhere(is_candidate_HW)) for drawn_HW in boundaries_AHW]
    predicted_KC = [mask_HW[is_candidate_HW] for mask_HW in predicted]
    matched = [_matched(predicted_C, matchers) for predicted_C in predicted_KC]
    right, found = zip(*matched, strict=True)
    return Counts(
        predicted_K=np.array([predicted_C.sum() for predicted_C in predicted_KC]),
        right_K=np.array(right),
        drawn_K=np.full(len(predicted), sum(matcher.drawn for matcher in matchers)),
        found_K=np.array(found),
    )


def _matched(predicted_C: NDArray[np.bool_], matchers: Sequence[Matcher]) -> tuple[int, int]:
    """Gives how many pixels match what anybody drew, and how many drawn ones were found, over all people."""
    is_right_C = np.zeros(len(predicted_C), np.bool_)
    found = 0
    for matcher in matchers:
        matched = matcher.match(predicted_C)
        is_right_C[matched] = True
        found += len(matched)
    return int(is_right_C.sum()), found
