"""A setting: what kind of value it takes, within which bounds, and what it is for; each is said once, where it is made.

The command line, the file and the help are all made from that.
"""

import re
from collections.abc import Callable
from dataclasses import Field, dataclass, field
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any, Final

from hondo.errors import InvalidSettings
from serving.catalog.versions import Versions

_ABOUT: Final = "about"


class Kind(StrEnum):
    """What a value is."""

    WHOLE = "a whole number"
    NUMBER = "a number"
    SWITCH = "true or false"
    TEXT = "a text"
    FILE = "the path of a file"
    VERSIONS = "versions"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is to be known of a setting."""

    kind: Kind
    help: str
    least: float | None = None
    most: float | None = None
    # The least itself is too little.
    is_above_least: bool = False
    choices: tuple[str, ...] = ()
    # What a text must look like, and how that is said.
    form: re.Pattern[str] | None = None
    expected: str = ""
    # What the help calls the default, where its value does not tell.
    shown: str = ""
    # Only the supervisor of several workers states it.
    is_hidden: bool = False

    def read(self, stated: object) -> object:
        """Gives the value that was stated in a file.

        Raises:
            InvalidSettings: it is not one of this setting's.
        """
        if self.kind is Kind.VERSIONS:
            return stated if isinstance(stated, Versions) else Versions.parse(stated)
        if not _IS_OF[self.kind](stated) or not self._is_within(stated):
            raise InvalidSettings(f"{stated!r} came, {self._expected()}")
        if self.kind is Kind.FILE:
            return _existing(stated)
        return float(stated) if self.kind is Kind.NUMBER else stated  # type: ignore[arg-type]

    def _is_within(self, stated: Any) -> bool:
        if self.choices:
            return stated in self.choices
        if self.form is not None:
            return self.form.fullmatch(stated) is not None
        if self.kind not in {Kind.WHOLE, Kind.NUMBER}:
            return True
        if self.least is not None and (stated < self.least or (self.is_above_least and stated == self.least)):
            return False
        return self.most is None or bool(stated <= self.most)

    def _expected(self) -> str:
        if self.choices:
            return f"one of {', '.join(self.choices)} expected"
        if self.expected:
            return self.expected
        least = "" if self.least is None else f" {'above' if self.is_above_least else 'from'} {self.least:g}"
        most = "" if self.most is None else f" to {self.most:g}"
        return f"{self.kind}{least}{most} expected"


_IS_OF: Final[dict[Kind, Callable[[object], bool]]] = {
    Kind.WHOLE: lambda stated: isinstance(stated, int) and not isinstance(stated, bool),
    # What is no number (nan) is within no bounds, and nothing can wait for ever (inf).
    Kind.NUMBER: lambda stated: isinstance(stated, int | float) and not isinstance(stated, bool) and isfinite(stated),
    Kind.SWITCH: lambda stated: isinstance(stated, bool),
    Kind.TEXT: lambda stated: isinstance(stated, str) and bool(stated),
    Kind.FILE: lambda stated: isinstance(stated, str | Path) and bool(str(stated)),
}


def _existing(stated: Any) -> Path:
    path = Path(stated)
    try:
        is_file = path.is_file()
    except OSError:  # the name is too long, or leads through what may not be looked into
        is_file = False
    if not is_file:
        raise InvalidSettings(f"there is no file {path}")
    return path


def about(each: "Field[Any]") -> About | None:
    """Gives what is to be known of a field; None where it is no setting."""
    found: About | None = each.metadata.get(_ABOUT)
    return found


def whole(default: int | None, text: str, **bounds: Any) -> Any:
    """Makes a field for a whole number."""
    return _made(default, About(kind=Kind.WHOLE, help=text, **bounds))


def number(default: float | None, text: str, **bounds: Any) -> Any:
    """Makes a field for a number."""
    return _made(default, About(kind=Kind.NUMBER, help=text, **bounds))


def switch(text: str, *, default: bool = False) -> Any:
    """Makes a field that is true or false."""
    return _made(default, About(kind=Kind.SWITCH, help=text))


def text(default: str | None, explanation: str, **bounds: Any) -> Any:
    """Makes a field for a text, for one of several, or for one of some form."""
    return _made(default, About(kind=Kind.TEXT, help=explanation, **bounds))


def file(explanation: str) -> Any:
    """Makes a field for a file that is there; the path is taken from where the server is started."""
    return _made(None, About(kind=Kind.FILE, help=explanation))


def versions(explanation: str) -> Any:
    """Makes a field for which versions are served."""
    return _made(Versions(), About(kind=Kind.VERSIONS, help=explanation))


def _made(default: object, told: About) -> Any:
    return field(default=default, metadata={_ABOUT: told})
