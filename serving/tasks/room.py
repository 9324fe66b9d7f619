"""Room: how many pixels are under way at once, so that a few large pictures do not fill the memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from hondo.errors import Overloaded

# Nobody knows how long large pictures take: a caller is told to come again after so long, seconds.
_AGAIN_AFTER_S = 1.0


class Room:
    """Room for so many pixels; to be used on one event loop."""

    def __init__(self, most_px: int) -> None:
        self._most_px = most_px
        self._taken_px = 0

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Takes room for as long as it is used; what is larger than all of it is taken where nothing else is.

        Raises:
            Overloaded: there is not so much left.
        """
        if self._taken_px and self._taken_px + pixels > self._most_px:
            raise Overloaded(
                f"{self._taken_px:,} pixels are under way, at most {self._most_px:,} may be", _AGAIN_AFTER_S
            )
        self._taken_px += pixels
        try:
            yield
        finally:
            self._taken_px -= pixels
