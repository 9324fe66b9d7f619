"""Legend: H height, W width, C channels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.report import mosaic


def test_puts_pictures_side_by_side(tmp_path: Path) -> None:
    """Each pixel becomes a square of its colour; between pictures, and where one is missing, the page shows through."""
    pictures = [np.full((2, 2, 3), grey, np.uint8) for grey in (10, 20, 30)]
    pictures[0][0, 1] = (255, 0, 0)
    mosaic.save(pictures, 2, tmp_path / "m.png")
    rgba_HWC = np.asarray(Image.open(tmp_path / "m.png"))
    side = (rgba_HWC.shape[1] - 8) // 2
    assert rgba_HWC.shape == (2 * side + 8, 2 * side + 8, 4)
    assert side % 2 == 0
    assert rgba_HWC[: side // 2, side // 2 : side].reshape(-1, 4).tolist() == [[255, 0, 0, 255]] * (side // 2) ** 2
    assert (rgba_HWC[:side, side + 8 :] == [20, 20, 20, 255]).all()
    assert (rgba_HWC[side + 8 :, :side] == [30, 30, 30, 255]).all()
    assert (rgba_HWC[:, side : side + 8, 3] == 0).all()
    assert (rgba_HWC[side + 8 :, side + 8 :, 3] == 0).all()


def test_large_pictures_keep_their_size(tmp_path: Path) -> None:
    """Pictures wider than there is room for are not made smaller."""
    mosaic.save([np.zeros((500, 700, 3), np.uint8)] * 2, 2, tmp_path / "m.png")
    with Image.open(tmp_path / "m.png") as drawn:
        assert drawn.size == (1408, 500)


@pytest.mark.parametrize(("count", "columns"), [(1, 6), (6, 6), (16, 6), (32, 8), (64, 12), (96, 14)])
def test_rows_are_about_twice_as_long_as_they_are_many(count: int, columns: int) -> None:
    """Few pictures stand in one row, many in half as many rows as columns."""
    assert mosaic.columns(count) == columns


def test_signed_colours() -> None:
    """0 is white, what is above it red, below it blue."""
    low, zero, high = mosaic.signed(np.array([[-2.0, 0.0, 2.0]], np.float32), 2.0)[0].astype(int)
    assert low[2] > low[0] + 50
    assert high[0] > high[2] + 50
    assert zero.min() > 240


def test_amounts() -> None:
    """What is 0 or less is black, what is more is lighter; nothing at all is black as well."""
    rgb_HWC = mosaic.amount(np.array([[-1.0, 0.0, 1.0, 2.0]], np.float32), 2.0).astype(int)
    assert rgb_HWC[0, 0].tolist() == rgb_HWC[0, 1].tolist()
    assert rgb_HWC[0, 1].max() < 8
    assert rgb_HWC[0, 1].sum() < rgb_HWC[0, 2].sum() < rgb_HWC[0, 3].sum()
    assert mosaic.amount(np.zeros((2, 2), np.float32), 0.0).max() < 8


def test_around_grey() -> None:
    """0 is grey, the value farthest from it black or white in its channel."""
    value_HWC = np.array([[[0.0, -0.5, 0.25]]], np.float32)
    assert mosaic.around_grey(value_HWC)[0, 0].tolist() == [128, 0, 191]
    assert mosaic.around_grey(np.zeros((1, 1, 3), np.float32))[0, 0].tolist() == [128, 128, 128]
