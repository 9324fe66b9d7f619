"""Versions: which of those that a model's folder has are served."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from hondo.errors import InvalidSettings

_FORMS = '"newest", "newest:N", "all" or a list of versions expected'


@dataclass(frozen=True, slots=True)
class Versions:
    """The newest ones, or all, or those that are listed."""

    # How many of the newest; None for all.
    newest: int | None = 1
    # If any: exactly these.
    listed: tuple[int, ...] = ()

    @classmethod
    def parse(cls, stated: object) -> Self:
        """Reads "newest", "newest:N", "all", "1,3", or a list of numbers as a file has it.

        Raises:
            InvalidSettings: it is none of these.
        """
        if stated == "all":
            return cls(newest=None)
        if stated == "newest":
            return cls()
        if isinstance(stated, str) and stated.startswith("newest:"):
            return cls(newest=_number(stated.removeprefix("newest:"), stated))
        each = stated.split(",") if isinstance(stated, str) else stated
        if not isinstance(each, list) or not each:
            raise InvalidSettings(f"{stated!r} came, {_FORMS}")
        return cls(newest=None, listed=tuple(sorted({_number(one, stated) for one in each}, reverse=True)))

    def chosen(self, there: Iterable[int]) -> list[int]:
        """Gives those to serve of the versions that are there, newest first."""
        newest_first = sorted(there, reverse=True)
        if self.listed:
            return [version for version in newest_first if version in self.listed]
        return newest_first[: self.newest]

    def __str__(self) -> str:
        if self.listed:
            return ",".join(map(str, self.listed))
        if self.newest is None:
            return "all"
        return "newest" if self.newest == 1 else f"newest:{self.newest}"


def _number(one: object, stated: object) -> int:
    text = one.strip() if isinstance(one, str) else str(one)
    if isinstance(one, bool) or not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**32):
        raise InvalidSettings(f"{stated!r} came, {_FORMS}: versions are numbers from 1")
    return int(text)
