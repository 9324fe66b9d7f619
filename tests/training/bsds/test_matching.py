"""One-to-one matching of the pixels of two maps of lines."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.training.bsds.drawings import placed
from training.bsds.matching import Matcher

# Of this picture the diagonal is 500 pixels, and 0.0075 of it 3.75.
HEIGHT, WIDTH = 300, 400
REACH_PX = 3.75


def matched(
    drawn: list[tuple[int, int]], predicted: list[tuple[int, int]], others: list[tuple[int, int]] | None = None
) -> set[tuple[int, int]]:
    """Gives which of the predicted pixels have a partner; the others are candidates, but not predicted."""
    candidates = sorted({*predicted, *(others or [])})
    matcher = Matcher(placed(HEIGHT, WIDTH, *drawn), np.array(candidates).reshape(-1, 2))
    is_predicted = np.array([pixel in predicted for pixel in candidates], np.bool_)
    return {candidates[place] for place in matcher.match(is_predicted)}


@pytest.mark.parametrize(
    ("pixel", "is_near"),
    [((100, 100), True), ((103, 102), True), ((100, 103), True), ((102, 103), True), ((103, 103), False)],
)
def test_pixels_match_within_the_reach(pixel: tuple[int, int], is_near: bool) -> None:
    """Two pixels may be the same up to 0.0075 of the diagonal apart: here 3.75 pixels, sqrt(13) but not sqrt(18)."""
    assert matched([(100, 100)], [pixel]) == ({pixel} if is_near else set())


def test_each_pixel_has_one_partner() -> None:
    """A single drawn pixel makes one of three right: the nearest."""
    assert matched([(50, 50)], [(50, 49), (50, 52), (53, 50)]) == {(50, 49)}


def test_as_many_as_can_be_are_matched() -> None:
    """Worked out by hand: the drawn pixel in the middle gives way to its neighbour, which can reach no other."""
    drawn = [(10, 10), (10, 13)]
    # (10, 12) is nearest to (10, 13), but (10, 16) reaches only that one.
    assert matched(drawn, [(10, 12), (10, 16)]) == {(10, 12), (10, 16)}


def test_of_all_such_matchings_the_shortest_is_taken() -> None:
    """Worked out by hand: one of two predicted pixels can be matched, and it is the one on the spot."""
    assert matched([(20, 20), (20, 21)], [(20, 20), (20, 21), (20, 23)]) == {(20, 20), (20, 21)}


def test_what_is_not_predicted_takes_no_partner() -> None:
    """Candidates that are not predicted at a threshold are not there."""
    assert matched([(30, 30)], [(30, 33)], others=[(30, 30), (30, 31)]) == {(30, 33)}


@pytest.mark.parametrize(("drawn", "predicted"), [([], [(5, 5)]), ([(5, 5)], []), ([], [])])
def test_nothing_matches_nothing(drawn: list[tuple[int, int]], predicted: list[tuple[int, int]]) -> None:
    """Where nobody drew anything, or nothing is predicted, nothing has a partner."""
    assert matched(drawn, predicted) == set()


def least_cost(drawn: NDArray[np.intp], predicted: NDArray[np.intp]) -> tuple[int, float]:
    """Tries every matching; gives the most pairs that there can be, and their least distance in all."""
    if len(drawn) > len(predicted):
        drawn, predicted = predicted, drawn
    best = (0, 0.0)
    for partners in itertools.permutations([*range(len(predicted)), *[-1] * len(drawn)], len(drawn)):
        pairs = [(d, predicted[p]) for d, p in zip(drawn, partners, strict=True) if p >= 0]
        distances = [float(np.hypot(*(one - other))) for one, other in pairs]
        if all(distance <= REACH_PX for distance in distances):
            best = min(best, (-len(pairs), sum(distances)))
    return -best[0], best[1]


PIXELS = st.lists(st.tuples(st.integers(10, 16), st.integers(10, 16)), min_size=1, max_size=4, unique=True)


@given(PIXELS, PIXELS)
def test_the_matching_is_the_best_of_all(drawn: list[tuple[int, int]], predicted: list[tuple[int, int]]) -> None:
    """Beside every other matching, it has as many pairs, and those predicted pixels that a shortest one may have."""
    most, distance = least_cost(np.array(drawn), np.array(predicted))
    found = sorted(matched(drawn, predicted))
    assert len(found) == most
    if found:
        again, reached = least_cost(np.array(drawn), np.array(found))
        assert again == most
        # Costs are rounded to hundredths of a pixel.
        assert reached == pytest.approx(distance, abs=0.01 * most + 1e-9)
