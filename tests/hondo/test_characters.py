"""Text as token ids, a character each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hondo import characters
from hondo.errors import InvalidArtifact, InvalidText
from protos.manifest_pb2 import TextGeneration


@given(st.text(min_size=1))
def test_every_text_comes_back(text: str) -> None:
    """Decoding what was encoded gives the same text, whatever is in it."""
    vocabulary = characters.vocabulary(text)
    tokens_T = characters.encode(text, characters.index(vocabulary))
    assert characters.decode(tokens_T, vocabulary) == text
    assert len(tokens_T) == len(text)


def test_vocabulary_is_in_unicodes_order() -> None:
    """The same text has the same ids everywhere."""
    assert characters.vocabulary("hello\n") == ["\n", "e", "h", "l", "o"]


def test_text_begins_after_a_line() -> None:
    """The start is the line's end where the text has lines, else the first character."""
    assert characters.start(["\t", "\n", "a"]) == 1
    assert characters.start(["a", "b"]) == 0


def test_names_unknown_characters() -> None:
    """The error names each unknown character once, by its look and its code point, and counts many."""
    ids = characters.index("abc")
    with pytest.raises(InvalidText, match=r"does not know the characters '\\x00' \(U\+0000\), 'é' \(U\+00E9\)$"):
        characters.encode("ab\x00éé", ids)
    with pytest.raises(InvalidText, match=r"the character 'z' \(U\+007A\)$"):
        characters.encode("z", ids)
    with pytest.raises(InvalidText, match=r"'m' \(U\+006D\) and 3 more$"):
        characters.encode("defghijklmnop", ids)


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        (TextGeneration(), "the vocabulary is missing"),
        (TextGeneration(vocabulary=["a", "bc"]), "'bc', which is not one character"),
        (TextGeneration(vocabulary=["a", "a"]), "a character twice"),
        (TextGeneration(vocabulary=["a", "b"], start=2), "the start is token 2 of 2"),
    ],
)
def test_refuses_what_tells_no_tokens(task: TextGeneration, fault: str) -> None:
    """A manifest that does not say completely how text becomes tokens is refused."""
    with pytest.raises(InvalidArtifact, match=fault):
        characters.check(task)


def test_takes_a_whole_task() -> None:
    """A manifest with characters and a start among them passes."""
    characters.check(TextGeneration(vocabulary=["\n", "ß"], start=1))
