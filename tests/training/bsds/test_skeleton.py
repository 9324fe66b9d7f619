"""Thinning of masks to lines."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from tests.training.bsds.drawings import mask
from training.bsds.skeleton import thinned

EVERY_NEIGHBOUR = np.ones((3, 3))


def test_a_bar_becomes_its_middle_line() -> None:
    """What MATLAB's bwmorph(..., "thin", Inf) gives for its manual's kind of example."""
    bar = mask(
        ".........",
        ".#######.",
        ".#######.",
        ".#######.",
        ".........",
    )
    line = mask(
        ".........",
        ".........",
        "..#####..",
        ".........",
        ".........",
    )
    assert np.array_equal(thinned(bar), line)


def test_a_shape_with_a_tail_keeps_it() -> None:
    """An end of a line stays an end; the example is of the paper's kind, worked out by hand."""
    shape = mask(
        ".#.....",
        "..###..",
        "..###..",
        "..###..",
        "..###..",
        "..###..",
        ".......",
    )
    line = mask(
        ".#.....",
        "..#....",
        "...#...",
        "...#...",
        "...#...",
        ".......",
        ".......",
    )
    assert np.array_equal(thinned(shape), line)


def test_lines_stay_as_they_are() -> None:
    """Lines one pixel wide, level, upright and slanting, are not shortened, nor at the picture's border."""
    lines = mask(
        "####...#",
        ".......#",
        ".#......",
        "..#.....",
        "...#....",
    )
    assert np.array_equal(thinned(lines), lines)


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_pieces_stay_whole(any_mask: NDArray[np.bool_]) -> None:
    """Thinning takes pixels away, never adds any, cuts no piece in two, lets none vanish, and is done at once."""
    thin = thinned(any_mask)
    assert not (thin & ~any_mask).any()
    before, pieces = ndimage.label(any_mask, EVERY_NEIGHBOUR)
    after, pieces_after = ndimage.label(thin, EVERY_NEIGHBOUR)
    assert pieces_after == pieces
    assert set(np.unique(before[thin])) - {0} == set(range(1, pieces + 1))
    assert after.shape == any_mask.shape
    assert np.array_equal(thinned(thin), thin)
