"""From a text to token ids and back, a character each: the one path for training and serving.

Legend: T characters.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.errors import InvalidArtifact, InvalidText
from protos.manifest_pb2 import TextGeneration

# So many unknown characters are named in an error.
_NAMED: Final = 10


def vocabulary(text: str) -> list[str]:
    """Gives the characters that occur in a text, in Unicode's order."""
    return sorted(set(text))


def start(vocabulary: Sequence[str]) -> int:
    """Gives the id of what stands before a text: the line's end where it is known, else the first space or sign."""
    return vocabulary.index("\n") if "\n" in vocabulary else 0


def index(vocabulary: Iterable[str]) -> Mapping[str, int]:
    """Gives the id of each character."""
    return {character: number for number, character in enumerate(vocabulary)}


def encode(text: str, ids: Mapping[str, int]) -> NDArray[np.int64]:
    """Gives tokens_T i64: the characters' ids.

    Raises:
        InvalidText: some characters are not in the vocabulary; the text names them.
    """
    try:
        return np.fromiter((ids[character] for character in text), np.int64, len(text))
    except KeyError:
        raise InvalidText(f"the model does not know {_named(unknown(text, ids))}") from None


def unknown(text: str, ids: Mapping[str, int]) -> list[str]:
    """Gives the characters of a text that are not in the vocabulary, each once, in their order."""
    return [character for character in dict.fromkeys(text) if character not in ids]


def decode(tokens: Iterable[int], vocabulary: Sequence[str]) -> str:
    """Gives the text of token ids."""
    return "".join(vocabulary[token] for token in tokens)


def check(task: TextGeneration) -> None:
    """Holds that a manifest says completely how text becomes tokens.

    Raises:
        InvalidArtifact: the vocabulary is missing, has an entry that is not one character or one twice, or does not
            have the start.
    """
    if not task.vocabulary:
        raise InvalidArtifact("text_generation: the vocabulary is missing")
    if wrong := [entry for entry in task.vocabulary if len(entry) != 1]:
        raise InvalidArtifact(f"text_generation: the vocabulary has {wrong[0]!r}, which is not one character")
    if len(set(task.vocabulary)) != len(task.vocabulary):
        raise InvalidArtifact("text_generation: the vocabulary has a character twice")
    if task.start >= len(task.vocabulary):
        raise InvalidArtifact(f"text_generation: the start is token {task.start} of {len(task.vocabulary)}")


def _named(characters: Sequence[str]) -> str:
    """Says which characters: as they are written, and by code point, since many look alike or like nothing."""
    said = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in characters[:_NAMED])
    more = len(characters) - _NAMED
    return f"the character{'s' if len(characters) > 1 else ''} {said}" + (f" and {more} more" if more > 0 else "")
