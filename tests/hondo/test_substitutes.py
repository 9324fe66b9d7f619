"""Characters that a model knows, for such as it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hondo import characters
from hondo.substitutes import replaced

KNOWN = characters.index("abcdefghijklmnopqrstuvwxyzABC .'\"-?1\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is.", "as it is."),
        ("“it\u2019s” — „so“", '"it\'s" - "so"'),
        ("«no»", '"no"'),
        ("élan, naïve", "elan  naive"),
        ("ﬁne", "fine"),
        ("D E ß Æ", "d e    "),
        ("a\tb\r\nc", "a b\nc"),
        ("wait…", "wait..."),
        ("①²", "1 "),
        ("戦争", "  "),
        ("¿\uff21\uff1f", " A?"),
    ],
)
def test_plain_forms_are_found(text: str, expected: str) -> None:
    """Signs give way to plain ones, letters to their bases or the other case, and the rest to spaces."""
    assert replaced(text, KNOWN) == expected


@given(text=st.text(), known=st.text("abAB .'-\n"))
def test_all_that_is_left_is_known(text: str, known: str) -> None:
    """Whatever comes and whatever is known, what is left can be encoded; what was known stays."""
    ids = characters.index(sorted(set(known)))
    found = replaced(text, ids)
    assert characters.unknown(found, ids) == []
    if not characters.unknown(text, ids):
        assert found == text
