"""Spoiling a message as bytes: what no library would write, but a socket carries."""

from collections.abc import Callable
from random import Random
from typing import Final

from tests.fuzz import extremes

_VARINT, _LENGTH, _GROUP, _END_GROUP = 0, 2, 3, 4
# protobuf's own limit is 100.
_DEEP: Final = (5, 99, 101, 1000, 20_000)


def spoiled(data: bytes, dice: Random) -> bytes:
    """Gives the bytes of a message, spoiled in one way."""
    return dice.choice(_WAYS)(data, dice)


def varint(number: int) -> bytes:
    """Gives a number as protobuf writes it."""
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*data, number))


def tag(number: int, kind: int) -> bytes:
    """Gives what begins a field."""
    return varint(number << 3 | kind)


def _noise(_data: bytes, dice: Random) -> bytes:
    return dice.randbytes(dice.choice((1, 8, 64, 1000)))


def _unknown_field(data: bytes, dice: Random) -> bytes:
    """Adds a field of a number and a wire type that the message may not have."""
    number = dice.choice((0, 1, 2, 3, 15, 16, 100, 19_000, 2**29 - 1, 2**29, 2**40))
    return data + tag(number, dice.randrange(8)) + varint(dice.choice((0, 1, 9, 2**31, 2**32, 2**63, 2**64 - 1)))


def _other_kind(data: bytes, dice: Random) -> bytes:
    """Gives the first field another wire type."""
    return bytes((data[0] & 0xF8 | dice.randrange(8),)) + data[1:] if data else b"\x07"


def _long_varint(data: bytes, dice: Random) -> bytes:
    """Adds a number of more bytes than numbers have."""
    return data + tag(dice.randrange(1, 16), _VARINT) + b"\xff" * dice.choice((9, 10, 11, 1000)) + b"\x01"


def _lying_length(data: bytes, dice: Random) -> bytes:
    """Adds a field that says to be longer than it is."""
    length = dice.choice((1, len(data), 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**64 - 1))
    return data + tag(dice.randrange(1, 16), _LENGTH) + varint(length)


def _nested(data: bytes, dice: Random) -> bytes:
    """Puts fields into fields, deeper than anybody reads them."""
    within = b""
    for _ in range(min(dice.choice(_DEEP), 3000)):
        within = tag(dice.choice((1, 2, 5)), _LENGTH) + varint(len(within)) + within
    return data + within


def _groups(data: bytes, dice: Random) -> bytes:
    """Begins groups, some of which never end."""
    depth, number = dice.choice(_DEEP), dice.randrange(1, 20)
    ends = tag(number, _END_GROUP) * dice.choice((0, depth, depth + 1))
    return data + tag(number, _GROUP) * depth + ends


def _twice(data: bytes, _dice: Random) -> bytes:
    """Says all twice: protobuf takes the last, and joins what is repeated."""
    return data + data


_WAYS: Final[tuple[Callable[[bytes, Random], bytes], ...]] = (
    extremes.spoiled,
    extremes.spoiled,
    extremes.spoiled,
    _noise,
    _unknown_field,
    _other_kind,
    _long_varint,
    _lying_length,
    _nested,
    _groups,
    _twice,
)
