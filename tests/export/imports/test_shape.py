import pytest

from export.imports import shape
from export.imports.front import Layout
from export.imports.shape import Shape
from hondo.errors import InvalidRequest
from serving.runtime.datatypes import BY_NAME
from serving.runtime.session import Signature


def taken(*sides: int | str) -> Signature:
    return Signature("pixels", BY_NAME["FP32"], sides)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((1, 3, 8, 6), Shape("nchw", 8, 6, 3)),
        (("n", 8, 6, 3), Shape("nhwc", 8, 6, 3)),
        ((4, 1, 8, 6), Shape("nchw", 8, 6, 1)),
    ],
)
def test_a_whole_shape_tells_all(sides: tuple[int | str, ...], expected: Shape) -> None:
    """Where the channels are is told by a side of 1 or 3."""
    assert shape.read(taken(*sides), None, None) == expected


def test_the_user_settles_what_is_open() -> None:
    """A size and a layout fill in what the file leaves to each request."""
    assert shape.read(taken("n", 3, "h", "w"), None, (8, 6)) == Shape("nchw", 8, 6, 3)
    assert shape.read(taken("n", "a", "b", "c"), "nhwc", (8, 6)) == Shape("nhwc", 8, 6, 3)
    assert shape.read(taken("n", 3, 3, 3), "nchw", None) == Shape("nchw", 3, 3, 3)


@pytest.mark.parametrize(
    ("sides", "layout", "size", "fault"),
    [
        (("n", 3, "h", "w"), None, None, "takes pictures of any size: name the one that it is for by --size"),
        (("n", 3, 8, 6), None, (8, 7), "does not take pictures of 8x7 pixels: leave --size out"),
        (("n", 8, 8, 8), None, None, "does not tell where its channels are: --layout nchw or --layout nhwc"),
        (("n", 3, 8, 3), None, None, "does not tell where its channels are"),
        (("n", 8, 6, 3), "nchw", None, "has 8 channels in nchw: pictures have 1 or 3"),
    ],
)
def test_what_is_open_or_disagrees_is_told(
    sides: tuple[int | str, ...], layout: Layout | None, size: tuple[int, int] | None, fault: str
) -> None:
    """The text names the file's input and the flag that helps."""
    with pytest.raises(InvalidRequest, match=fault):
        shape.read(taken(*sides), layout, size)
