"""The fields of a protobuf message as they lie on the wire, read without its description and without copies."""

from collections.abc import Iterator
from typing import Final

# Wire types.
_VARINT: Final = 0
_FIXED_64: Final = 1
_BYTES: Final = 2
_FIXED_32: Final = 5
_FIXED: Final = {_FIXED_64: 8, _FIXED_32: 4}

_MAX_VARINT_BYTES: Final = 10


def messages(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Goes through the numbers and contents of all fields with a length: messages, strings, bytes, packed numbers.

    Args:
        data: a message.

    Raises:
        ValueError: it is none.
    """
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, place = _varint(data, place)
        elif kind == _BYTES:
            length, start = _varint(data, place)
            place = start + length
            if place > len(data):
                raise ValueError(f"field {number} ends beyond its message")
            yield number, data[start:place]
        elif kind in _FIXED:
            place += _FIXED[kind]
        else:
            raise ValueError(f"field {number} has wire type {kind}")
    if place > len(data):
        raise ValueError("the last field is cut off")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Gives a number and the place after it."""
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if place + index >= len(data):
            raise ValueError("a number is cut off")
        byte = data[place + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, place + index + 1
    raise ValueError("a number has more than 64 bits")
