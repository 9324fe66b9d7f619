"""From a text to the array of word numbers that a graph takes: the one path for training and serving.

Legend: T places for words.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.enums import name_of
from hondo.errors import InvalidArtifact, InvalidText
from protos.manifest_pb2 import TextInput

# The ids of the first two words of every vocabulary, and how they are written there.
PADDING: Final = 0
UNKNOWN: Final = 1
SPECIAL: Final = ("<padding>", "<unknown>")

MAX_CHARACTERS: Final = 100_000

_ENDING: Final = re.compile(r"(n't|'(?:s|ve|re|d|ll)\b)")
_MARK: Final = re.compile(r"([,!?()])")
_OTHER: Final = re.compile(r"[^\w(),!?'`]|_")


def words(text: str) -> list[str]:
    """Cuts a text into words as Kim 2014 did, but keeps the letters of every script.

    Lower case; `,`, `!`, `?` and brackets are words of their own, as are the endings 's, 've, n't, 're, 'd and 'll; all
    other signs part words and are dropped.
    """
    plain = _OTHER.sub(" ", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    return _MARK.sub(r" \1 ", _ENDING.sub(r" \1", plain)).split()


def index(vocabulary: Iterable[str]) -> Mapping[str, int]:
    """Gives the id of each word; the special ones cannot be written in a text."""
    return {word: number for number, word in enumerate(vocabulary)}


def encode(text: str, ids: Mapping[str, int], length: int) -> NDArray[np.int64]:
    """Gives tokens_T i64: the words' ids, cut off or filled up with PADDING to `length`.

    Raises:
        InvalidText: there is no word in it, or it is longer than MAX_CHARACTERS.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidText(f"it has {len(text):,} characters, at most {MAX_CHARACTERS:,} are taken")
    found = [ids.get(word, UNKNOWN) for word in words(text)][:length]
    if not found:
        raise InvalidText("there is no word in it")
    tokens_T = np.full(length, PADDING, np.int64)
    tokens_T[: len(found)] = found
    return tokens_T


def check(spec: TextInput) -> None:
    """Holds that a manifest says completely how a text becomes a graph's input.

    Raises:
        InvalidArtifact: the length, tokenizer or vocabulary is missing, or the vocabulary has a word twice.
    """
    if spec.tokenizer != TextInput.KIM:
        raise InvalidArtifact(f"text: the tokenizer is {name_of(TextInput.Tokenizer, spec.tokenizer)}")
    if spec.length < 1:
        raise InvalidArtifact("text: the length is 0 words, at least 1 expected")
    if tuple(spec.vocabulary[: len(SPECIAL)]) != SPECIAL:
        raise InvalidArtifact(f"text: the vocabulary must begin with {', '.join(SPECIAL)}")
    if len(set(spec.vocabulary)) != len(spec.vocabulary):
        raise InvalidArtifact("text: the vocabulary has a word twice")
