"""Tiles: the parts in which a picture is answered that is too large for one run.

Neighbours overlap by as far as what lies beyond a cut can reach, so that of each part just what is like the whole
picture's answer is kept.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hondo.errors import InvalidImage
from serving.contract.detector import SMALLEST_PX

# Runs of tiles that overlap so much would do many times the work.
_MOST_WORK: Final = 16.0


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one side of a picture, pixels."""

    # What is computed, and within it what is kept.
    start: int
    end: int
    kept_start: int
    kept_end: int

    @property
    def length(self) -> int:
        """How much is computed."""
        return self.end - self.start

    @property
    def seen(self) -> slice:
        """What is computed."""
        return slice(self.start, self.end)

    @property
    def kept(self) -> slice:
        """What is kept, counted on the picture."""
        return slice(self.kept_start, self.kept_end)

    @property
    def inner(self) -> slice:
        """What is kept, counted on what is computed."""
        return slice(self.kept_start - self.start, self.kept_end - self.start)


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture."""

    rows: Span
    columns: Span


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a model's pictures may be cut.

    Args:
        reach_px: what is farther away has no influence; 0 where everything may have.
        step_px: parts begin and end at multiples of it.
        most_px: pixels that one run takes.
    """

    reach_px: int
    step_px: int
    most_px: int

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Gives the size that a picture is brought to: its own, or whole steps where it must be cut.

        Only such pictures' parts say what the whole does; what is added below and to the right repeats the border.
        """
        if height * width <= self.most_px or not self.step_px:
            return height, width
        return self._up(height), self._up(width)

    def tiles(self, height: int, width: int) -> list[Tile]:
        """Cuts a picture, once it is padded, into as few tiles as fit; one where all of it fits.

        Raises:
            InvalidImage: it does not fit, and the model cannot answer it in parts, or only in too many.
        """
        if height * width <= self.most_px:
            return [Tile(Span(0, height, 0, height), Span(0, width, 0, width))]
        text = f"the image has {width} x {height} pixels, one run takes {self.most_px:,} (the server's --max-run-mb)"
        if not self.reach_px:
            raise InvalidImage(f"{text}, and this model does not answer in parts: send a smaller one")
        height, width = self.padded(height, width)
        tall, wide = self._sides(height, width)
        found = [Tile(rows, columns) for rows in self._spans(height, tall) for columns in self._spans(width, wide)]
        work = sum(tile.rows.length * tile.columns.length for tile in found) / (height * width)
        if not found or work > _MOST_WORK:
            raise InvalidImage(f"{text}, and parts would overlap too much: each side reaches {self.reach_px} pixels")
        return found

    def _up(self, pixels: int) -> int:
        return -(-pixels // self.step_px) * self.step_px

    def _down(self, pixels: int) -> int:
        return pixels // self.step_px * self.step_px

    def _sides(self, height: int, width: int) -> tuple[int, int]:
        """Gives the sides of a tile: as square as the picture allows."""
        side = math.isqrt(self.most_px)
        if height <= side:
            return height, self._down(self.most_px // height)
        if width <= side:
            return self._down(self.most_px // width), width
        return self._down(side), self._down(side)

    def _spans(self, length: int, side: int) -> Iterator[Span]:
        """Cuts a length into spans of one side; none where they cannot cover it."""
        overlap = self._up(self.reach_px)
        if length <= side:
            yield Span(0, length, 0, length)
            return
        if side <= 2 * overlap or side < SMALLEST_PX:
            return
        start = kept = 0
        while start + side < length:
            end = start + side - overlap
            yield Span(start, start + side, kept, end)
            start, kept = min(end - overlap, length - side), end
        yield Span(start, length, kept, length)
