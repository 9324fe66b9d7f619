"""Non-maximum suppression of edges.

Legend: H height, W width.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hondo.suppression import thinned


def ridge(distance_HW: NDArray[np.float64]) -> NDArray[np.float32]:
    """Gives a broad edge: 1 where the distance is 0, falling off on both sides."""
    return np.exp(-((distance_HW / 3) ** 2)).astype(np.float32)


def grid(side: int = 41) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y_HW, x_HW = np.mgrid[:side, :side].astype(np.float64)
    return y_HW, x_HW


@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90, 110, 135, 160])
def test_a_broad_edge_becomes_a_line_along_its_ridge(degrees: float) -> None:
    """Whatever the direction, what stays lies within a pixel of the ridge, and the ridge is there in every row."""
    y_HW, x_HW = grid()
    angle = np.radians(degrees)
    distance_HW = (x_HW - 20) * np.cos(angle) + (y_HW - 20) * np.sin(angle)
    thin_HW = thinned(ridge(distance_HW))
    inner = np.s_[8:-8, 8:-8]
    # Far off, where the map is 0 but for rounding, what is no weaker than its neighbours stays.
    stays_HW = thin_HW[inner] > 0.05
    assert np.abs(distance_HW[inner][stays_HW]).max() <= 1.0
    along = 0 if 45 < degrees < 135 else 1
    assert stays_HW.any(axis=along).all()
    assert stays_HW.sum(axis=along).max() <= 2
    assert np.abs(thin_HW[inner][stays_HW] - 1).max() < 0.15


def test_a_map_is_averaged_before_it_is_judged() -> None:
    """Worked out by hand: a line of 1 in a map of 0 is averaged over three pixels, 1/4, 1/2, 1/4, and keeps its 1/2."""
    map_HW = np.zeros((30, 30), np.float32)
    map_HW[:, 14] = 1
    expected_HW = np.zeros_like(map_HW)
    expected_HW[:, 14] = 0.5
    assert np.allclose(thinned(map_HW)[5:-5, 5:-5], expected_HW[5:-5, 5:-5])


def test_edges_fade_at_the_border() -> None:
    """Worked out by hand: over the last five pixels of a side a map falls to 0 in fifths."""
    map_HW = np.full((20, 30), 0.5, np.float32)
    assert np.allclose(thinned(map_HW)[10], 0.5 * np.minimum(np.minimum(np.arange(30), np.arange(30)[::-1]) / 5, 1))
    assert np.allclose(thinned(map_HW)[:, 15], 0.5 * np.minimum(np.minimum(np.arange(20), np.arange(20)[::-1]) / 5, 1))


@pytest.mark.parametrize("shape", [(2, 2), (2, 40), (3, 3), (16, 16), (16, 17)])
def test_small_maps_are_taken(shape: tuple[int, int]) -> None:
    """A map of any size gives one of the same size, of finite numbers no larger than before."""
    map_HW = np.random.default_rng(0).random(shape, np.float32)
    thin_HW = thinned(map_HW)
    assert thin_HW.shape == shape
    assert np.isfinite(thin_HW).all()
    assert 0 <= thin_HW.min() <= thin_HW.max() <= map_HW.max()


def test_the_published_program_says_the_same() -> None:
    """What Structured Edges' own program made of a map of waves, kept beside this test, comes out here too."""
    with np.load(Path(__file__).with_name("suppressed.npz")) as kept:
        map_HW, expected_HW = kept["map"], kept["thinned"]
    thin_HW = thinned(map_HW)
    differs_HW = (thin_HW > 0) != (expected_HW > 0)
    # Where two neighbours are equal but for rounding, either may go.
    assert differs_HW.mean() < 1e-3
    assert np.abs(thin_HW - expected_HW)[~differs_HW].max() < 1e-6
