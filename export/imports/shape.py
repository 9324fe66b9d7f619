"""The pictures that an imported file takes, as its own shape and its user tell.

Legend: N batch, H height, W width, C channels.
"""

from dataclasses import dataclass
from typing import Final

from export.imports.front import Layout
from hondo.errors import InvalidRequest
from serving.runtime.session import Signature

# Axis of the channels.
_CHANNELS: Final[dict[Layout, int]] = {"nchw": 1, "nhwc": 3}
_COUNTS: Final = {1, 3}


@dataclass(frozen=True, slots=True)
class Shape:
    """The pictures of an input with four axes."""

    layout: Layout
    height: int
    width: int
    channels: int


def read(taken: Signature, layout: Layout | None, size_px: tuple[int, int] | None) -> Shape:
    """Settles what the file's own shape leaves open by what its user says.

    Args:
        taken: the input.
        layout: the order of its axes, where the user names it.
        size_px: height and width, where the user names them.

    Raises:
        InvalidRequest: something is still open, or the two disagree.
    """
    layout = layout or _layout(taken)
    axis = _CHANNELS[layout]
    channels = taken.shape[axis]
    if isinstance(channels, int) and channels not in _COUNTS:
        raise InvalidRequest(f"{_told(taken)} has {channels} channels in {layout}: pictures have 1 or 3")
    sides = [side for place, side in enumerate(taken.shape) if place not in {0, axis}]
    height, width = _size(taken, sides, size_px)
    return Shape(layout, height, width, channels if isinstance(channels, int) else 3)


def _layout(taken: Signature) -> Layout:
    fitting: list[Layout] = [layout for layout, axis in _CHANNELS.items() if taken.shape[axis] in _COUNTS]
    if len(fitting) != 1:
        raise InvalidRequest(f"{_told(taken)} does not tell where its channels are: --layout nchw or --layout nhwc")
    return fitting[0]


def _size(taken: Signature, sides: list[int | str | None], size_px: tuple[int, int] | None) -> tuple[int, int]:
    fixed = tuple(side for side in sides if isinstance(side, int))
    if size_px is None:
        if len(fixed) < len(sides):
            raise InvalidRequest(f"{_told(taken)} takes pictures of any size: name the one that it is for by --size")
        return fixed[0], fixed[1]
    if any(isinstance(side, int) and side != asked for side, asked in zip(sides, size_px, strict=True)):
        asked = "x".join(map(str, size_px))
        raise InvalidRequest(f"{_told(taken)} does not take pictures of {asked} pixels: leave --size out")
    return size_px


def _told(taken: Signature) -> str:
    return f"the file's input {taken.name!r} {taken.datatype.name}{taken.wire_shape}"
