"""How pictures are cut that are too large for one run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hondo.errors import InvalidImage
from serving.tasks.tiles import Span, Tile, Tiling


def test_a_picture_that_fits_is_not_cut() -> None:
    """A run takes what it may take whole, whether or not the model answers in parts."""
    whole = [Tile(Span(0, 20, 0, 20), Span(0, 30, 0, 30))]
    assert Tiling(reach_px=0, step_px=0, most_px=600).tiles(20, 30) == whole
    assert Tiling(reach_px=8, step_px=4, most_px=600).tiles(20, 30) == whole


def test_a_wide_picture_is_cut_across() -> None:
    """Worked out by hand: 41 pixels are padded to 44, in parts 20 wide that overlap by 4 on each side of a cut."""
    tiling = Tiling(reach_px=3, step_px=4, most_px=20 * 23)
    assert tiling.padded(20, 41) == (20, 44)
    tiles = tiling.tiles(20, 41)
    assert {tile.rows for tile in tiles} == {Span(0, 20, 0, 20)}
    columns = [Span(0, 20, 0, 16), Span(12, 32, 16, 28), Span(24, 44, 28, 44)]
    assert [tile.columns for tile in tiles] == columns


@given(
    height=st.integers(16, 400),
    width=st.integers(16, 400),
    reach_px=st.integers(1, 40),
    step_px=st.sampled_from([1, 2, 8, 16, 32]),
    most_px=st.integers(256, 60_000),
)
def test_tiles_cover_a_picture_once(height: int, width: int, reach_px: int, step_px: int, most_px: int) -> None:
    """Every pixel is kept once, far from every cut, of parts that fit, lie at whole steps, and are not too small."""
    tiling = Tiling(reach_px, step_px, most_px)
    try:
        tiles = tiling.tiles(height, width)
    except InvalidImage:
        assert most_px < height * width
        return
    padded = tiling.padded(height, width)
    kept_HW = np.zeros(padded, np.int64)
    for tile in tiles:
        kept_HW[tile.rows.kept, tile.columns.kept] += 1
        assert tile.rows.length * tile.columns.length <= most_px
        for span, side in zip((tile.rows, tile.columns), padded, strict=True):
            assert span.start % step_px == 0
            assert span.end % step_px == 0 or len(tiles) == 1
            assert span.start == 0 or span.kept_start - span.start >= reach_px
            assert span.end == side or span.end - span.kept_end >= reach_px
            assert span.length >= min(side, 16)
    assert (kept_HW == 1).all()


@pytest.mark.parametrize(
    ("tiling", "text"),
    [
        (Tiling(reach_px=0, step_px=0, most_px=599), "this model does not answer in parts: send a smaller one"),
        (Tiling(reach_px=9, step_px=1, most_px=300), "parts would overlap too much: each side reaches 9 pixels"),
    ],
)
def test_what_cannot_be_cut_is_refused(tiling: Tiling, text: str) -> None:
    """The text says how large the picture is, what one run takes, and why parts are no way out."""
    with pytest.raises(InvalidImage, match=r"the image has 30 x 20 pixels, one run takes \d+") as raised:
        tiling.tiles(20, 30)
    assert text in str(raised.value)
