"""What of a text may not be shown while a stop string may be coming."""

from hypothesis import given
from hypothesis import strategies as st

from hondo.stops import held

TEXTS = st.text("ab", max_size=12)
STOPS = st.lists(st.text("ab", min_size=1, max_size=5), max_size=4)


@given(text=TEXTS, stops=STOPS, more=TEXTS)
def test_no_character_of_a_stop_is_shown_too_early(text: str, stops: list[str], more: str) -> None:
    """Wherever a stop string that is not yet whole begins, what is held reaches back to there."""
    shown = len(text) - held(text, stops)
    for stop in stops:
        for begin in range(shown):
            comes_later = begin + len(stop) > len(text)
            assert not (comes_later and (text + more)[begin:].startswith(stop))


@given(text=TEXTS, stops=STOPS)
def test_no_more_is_held_than_must_be(text: str, stops: list[str]) -> None:
    """What is held may indeed go on to be a stop string."""
    count = held(text, stops)
    assert count == 0 or any(stop.startswith(text[len(text) - count :]) and len(stop) > count for stop in stops)
