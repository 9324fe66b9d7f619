"""Pictures with what people said of each: as they are published.

Legend: N pictures.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource

# What stands in every vocabulary before the words: after a caption's last word, before its first, for any not listed.
END: Final = 0
START: Final = 1
UNKNOWN: Final = 2
SPECIAL: Final = ("<end>", "<start>", "<unknown>")

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture's file, in a folder or in a zip."""

    name: str
    # The folder, or the zip file.
    place: Path

    def read(self) -> bytes:
        """Gives the file's contents.

        Raises:
            MissingData: it cannot be read.
        """
        try:
            if self.place.is_dir():
                return (self.place / self.name).read_bytes()
            with ZipFile(self.place) as packed:
                return packed.read(self.name)
        except (OSError, KeyError, ValueError) as error:
            raise MissingData(f"{self.place / self.name} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class Captioned:
    """Pictures and their captions."""

    files: tuple[PictureFile, ...]
    # Of each picture at least one, as it was written.
    captions: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if len(self.files) != len(self.captions):
            raise ValueError(f"{len(self.files)} pictures have {len(self.captions)} lists of captions")

    def __len__(self) -> int:
        return len(self.files)

    def part(self, start: int, stop: int) -> "Captioned":
        """Gives the pictures from one position to before another."""
        return Captioned(self.files[start:stop], self.captions[start:stop])

    def first(self, count: int) -> "Captioned":
        """Gives the first so many pictures."""
        return self.part(0, count)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaptionSet:
    """A set of captioned pictures, and where it is from."""

    source: DataSource
    train: Captioned
    validation: Captioned
    test: Captioned


def words(caption: str) -> list[str]:
    """Cuts a caption into words: lower case, letters and digits of any script; what stands between them is dropped."""
    return _WORD.findall(caption.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def vocabulary(captions: Iterable[Sequence[str]], min_count: int) -> list[str]:
    """Gives the words that occur so often, the special ones first, then the most frequent, then by alphabet."""
    counts = Counter(word for of_one in captions for caption in of_one for word in words(caption))
    kept = [word for word, count in counts.items() if count >= min_count]
    return [*SPECIAL, *sorted(kept, key=lambda word: (-counts[word], word))]


def until_end(tokens: Sequence[int]) -> Sequence[int]:
    """Gives the tokens of a caption before its END; all of one that has not come to it."""
    return tokens[: tokens.index(END)] if END in tokens else tokens
