"""From texts to words and their ids: Kim's rules, and what holds for any text whatever."""

import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hondo import text
from hondo.errors import InvalidArtifact, InvalidText
from hondo.text import MAX_CHARACTERS, PADDING, SPECIAL, UNKNOWN, encode, index, words
from protos.manifest_pb2 import TextInput

VOCABULARY = (*SPECIAL, "a", "good", "film", "!", "n't", "did")
IDS = index(VOCABULARY)

# Any text, lone surrogates too; and texts made of what the rules are about.
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=100)
TRICKY = st.lists(
    st.sampled_from([*"abzN't'svreldL(),!?`_. \n\u2019\u0301İßé線9", "n't", "'s", "'ll", "good", "<unknown>"]),
    max_size=40,
).map("".join)
TEXTS = st.one_of(ANY, TRICKY)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("A Good FILM", "a good film"),
        ("What's it? It isn't (very) good!", "what 's it ? it is n't ( very ) good !"),
        ("I'd say they're, we've, he'll", "i 'd say they 're , we 've , he 'll"),
        ("rock 'n' roll", "rock 'n' roll"),
        ("$9.99 -- 50% off; e-mail: a@b.c", "9 99 50 off e mail a b c"),
        ("snake_case <unknown> <padding>", "snake case unknown padding"),
        ("It\u2019s", "it 's"),
        ("Straße, über, ελληνικά, 映画", "straße , über , ελληνικά , 映画"),
        ("...", ""),
    ],
)
def test_words_are_cut_as_kim_cut_them(sentence: str, expected: str) -> None:
    """Lower case; marks and endings are words, other signs part words; letters of every script are kept."""
    assert " ".join(words(sentence)) == expected


@given(TEXTS)
def test_any_text_can_be_cut(sentence: str) -> None:
    """No text fails; no word has white space or other signs in it, or is empty; a mark is always a word alone."""
    for word in words(sentence):
        assert re.fullmatch(r"[,!?()]|(?:[^\W_]|['`])+", word)


@given(TEXTS)
def test_words_stay_words(sentence: str) -> None:
    """Words without apostrophes that are joined again are cut into the same words."""
    once = words(re.sub("['\u2019]", "", sentence))
    assert words(" ".join(once)) == once


@given(TEXTS, TEXTS)
def test_white_space_parts_texts(first: str, second: str) -> None:
    """What stands on two lines is cut as if each stood alone."""
    assert words(f"{first}\n{second}") == words(first) + words(second)


@given(st.text(st.characters(codec="ascii"), max_size=100))
def test_case_does_not_matter(sentence: str) -> None:
    """Capitals are no other words."""
    assert words(sentence.upper()) == words(sentence.lower()) == words(sentence)


@given(TEXTS)
def test_special_words_cannot_be_written(sentence: str) -> None:
    """No text has the words for padding and the unknown in it, so that their ids mean only that."""
    assert not set(SPECIAL) & set(words(sentence))


@given(TEXTS, st.integers(1, 20))
def test_any_text_is_encoded_or_refused(sentence: str, length: int) -> None:
    """A text with a word becomes i64[length]: its words' ids, cut off or padded; one without is refused."""
    found = words(sentence)
    if not found:
        with pytest.raises(InvalidText, match="there is no word in it"):
            encode(sentence, IDS, length)
        return
    tokens_T = encode(sentence, IDS, length)
    assert tokens_T.dtype == np.int64
    assert tokens_T.shape == (length,)
    expected = [IDS.get(word, UNKNOWN) for word in found][:length]
    assert tokens_T.tolist() == expected + [PADDING] * (length - len(expected))
    assert set(tokens_T.tolist()) <= set(range(len(VOCABULARY)))


def test_words_are_encoded_by_the_vocabulary() -> None:
    """Known words have their ids, others that of the unknown; the rest is padding."""
    assert encode("A good film, didn't", IDS, 8).tolist() == [2, 3, 4, UNKNOWN, 7, 6, PADDING, PADDING]
    assert encode("good good good", IDS, 2).tolist() == [3, 3]


def test_too_long_a_text_is_refused() -> None:
    """The longest text that is taken is quick enough to be taken; one character more is refused, unread."""
    began_s = time.perf_counter()
    for letter in ("a", "'", "n't", "(", "\N{GREEK SMALL LETTER ALPHA}\N{COMBINING ACUTE ACCENT}"):
        longest = (letter * MAX_CHARACTERS)[: MAX_CHARACTERS - 2] + " a"
        assert len(encode(longest, IDS, 5)) == 5
    assert time.perf_counter() - began_s < 5
    with pytest.raises(InvalidText, match="it has 100,001 characters, at most 100,000 are taken"):
        encode("a" * (MAX_CHARACTERS + 1), IDS, 5)


def complete() -> TextInput:
    """Gives what a manifest should say."""
    return TextInput(tokenizer=TextInput.KIM, vocabulary=VOCABULARY, length=8)


def test_a_complete_manifest_holds() -> None:
    """Tokenizer, length and vocabulary are enough."""
    text.check(complete())


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("tokenizer", TextInput.TOKENIZER_UNSPECIFIED, "the tokenizer is TOKENIZER_UNSPECIFIED"),
        ("tokenizer", 77, "the tokenizer is 77"),
        ("length", 0, "the length is 0 words"),
        ("vocabulary", [], "the vocabulary must begin with <padding>, <unknown>"),
        ("vocabulary", ["<unknown>", "<padding>"], "the vocabulary must begin with <padding>, <unknown>"),
        ("vocabulary", [*VOCABULARY, "a"], "the vocabulary has a word twice"),
    ],
)
def test_an_incomplete_manifest_is_refused(field: str, value: object, why: str) -> None:
    """What is missing or contradicts itself is said."""
    fields = {"tokenizer": TextInput.KIM, "vocabulary": VOCABULARY, "length": 8, field: value}
    with pytest.raises(InvalidArtifact, match=why):
        text.check(TextInput(**fields))  # type: ignore[arg-type]
