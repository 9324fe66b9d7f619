"""How many pixels may be under way at once."""

import pytest

from hondo.errors import Overloaded
from serving.tasks.room import Room


def test_what_does_not_fit_is_told_to_come_again() -> None:
    """Room that is taken is refused to others, with the time to come again, and free again at the end."""
    room = Room(100)
    with room.taken(60), room.taken(40):
        with pytest.raises(Overloaded, match="100 pixels are under way, at most 100 may be") as raised, room.taken(1):
            pass
        assert raised.value.retry_after_s == 1.0
    with room.taken(100):
        pass


def test_what_is_larger_than_all_room_is_taken_alone() -> None:
    """One request may exceed the room where nothing else is under way: otherwise it never could be answered."""
    room = Room(100)
    with room.taken(500), pytest.raises(Overloaded), room.taken(1):
        pass


def test_room_is_free_after_a_failure() -> None:
    """A request that fails gives its room back."""
    room = Room(100)
    with pytest.raises(ZeroDivisionError), room.taken(100):
        raise ZeroDivisionError
    with room.taken(100):
        pass
