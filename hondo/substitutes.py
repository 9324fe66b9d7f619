"""Substitutes: characters that a model knows, for such as it does not."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

# What Unicode's own decompositions leave as it is, though it is but another way to write something plain.
_PLAIN: Final = str.maketrans(
    {
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{SINGLE LOW-9 QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{DOUBLE LOW-9 QUOTATION MARK}": '"',
        "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}": '"',
        "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}": '"',
        "\N{HYPHEN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{HORIZONTAL BAR}": "-",
        "\N{MINUS SIGN}": "-",
        "\t": " ",
        "\r": "",
    }
)


def replaced(text: str, ids: Mapping[str, int]) -> str:
    """Gives a text in which every character is known.

    One that is not gives way to the plain sign or the letters that it is another form of, else to the same letter in
    the other case, else to a space, else to nothing.

    Args:
        text: any.
        ids: of the known characters.
    """
    found = {character: character if character in ids else _substitute(character, ids) for character in set(text)}
    return "".join(found[character] for character in text)


def _substitute(character: str, ids: Mapping[str, int]) -> str:
    for candidate in _candidates(character):
        if all(part in ids for part in candidate):
            return candidate
    return ""


def _candidates(character: str) -> Iterator[str]:
    """Goes through what may stand for a character, the best first."""
    plain = character.translate(_PLAIN)
    yield plain
    parts = unicodedata.normalize("NFKD", plain).translate(_PLAIN)
    letters = "".join(part for part in parts if not unicodedata.combining(part))
    for each in (letters, plain, character):
        if each:
            yield from (each, each.lower(), each.upper())
    yield " "
