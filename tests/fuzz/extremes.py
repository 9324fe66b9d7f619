"""Values at the edges of what a field can hold, and a little beyond what anybody expects there."""

from random import Random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

_F: Final = FieldDescriptor
_SIGNED: Final = {_F.CPPTYPE_INT32: 31, _F.CPPTYPE_INT64: 63, _F.CPPTYPE_ENUM: 31}
_UNSIGNED: Final = {_F.CPPTYPE_UINT32: 32, _F.CPPTYPE_UINT64: 64}

_FLOATS: Final = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-45, 1e-38, 3.4e38, -3.4e38, 1e9),
    *(float("nan"), float("inf"), float("-inf")),
)
_DOUBLES: Final = (5e-324, 1.8e308, -1.8e308)
# Names, paths, formats and numbers as they are written by those who mean no good, and signs that trip decoders.
_TEXTS: Final = (
    *("", " ", "\0", "a\0b", "\n", "\r\nx: y", "\x7f", "\ufeff", "\u202e", "\ud7ff", "\ue000", "\U0010ffff", "ß" * 99),
    *("..", "../..", "/", "/etc/passwd", ".", "-1", "0", "01", "1.0", "1e9", "9" * 30, "NaN", "²", "\u0661"),
    *("%s%n", "{0}", "{}", "${x}", "'\"", "\\", "<a>", "true", "null", "[]", "0x10", "newest", "all", "*"),
)
# How long texts and bytes become where they become long: what takes a server seconds by right is no hang.
_LONG: Final = (255, 256, 256, 1000, 1000, 1000, 4096, 4096, 20_000, 120_000)


def number(kind: int, dice: Random) -> int:
    """Gives a whole number of a field's type, mostly near one of its ends or near none."""
    low, bits = (-(2 ** _SIGNED[kind]), _SIGNED[kind]) if kind in _SIGNED else (0, _UNSIGNED[kind])
    high: int = 2**bits - 1
    near: int = dice.choice((low, high, 0, 0, 2 ** dice.randrange(bits), dice.randint(low, high)))
    return min(high, max(low, near + dice.randint(-2, 2)))


def real(kind: int, dice: Random) -> float:
    """Gives a number of a field's type."""
    return dice.choice(_FLOATS + _DOUBLES if kind == _F.CPPTYPE_DOUBLE else _FLOATS)


def text(dice: Random, words: "tuple[str, ...]" = ()) -> str:
    """Gives a text: one of the words that mean something here, a trap, or signs of any kind."""
    match dice.randrange(8):
        case 0 | 1 | 2 if words:
            return dice.choice(words)
        case 3:
            return (dice.choice((*words, "a", "é")) * (length := dice.choice(_LONG)))[:length]
        case 4:
            return "".join(chr(dice.randrange(0xD800)) for _ in range(dice.randrange(20)))
        case _:
            return dice.choice(_TEXTS)


def data(dice: Random, now: bytes = b"") -> bytes:
    """Gives bytes: those that are there spoiled, or others."""
    match dice.randrange(6):
        case 0:
            return dice.randbytes(dice.randrange(64))
        case 1:
            return b""
        case 2:
            return (now or b"\xff") * dice.choice((2, 3, _LONG[dice.randrange(3)] // max(1, len(now)) + 1))
        case _:
            return spoiled(now, dice)


def spoiled(now: bytes, dice: Random) -> bytes:
    """Gives bytes cut off, or with some of them changed, taken out or put in."""
    start = dice.randrange(len(now) + 1)
    match dice.randrange(6):
        case 0:
            return now[:start]
        case 1:
            return now[start:]
        case 2:
            return now[:start] + dice.randbytes(dice.randrange(1, 9)) + now[start:]
        case 3:
            return now[:start] + now[start + dice.randrange(1, 9) :]
        case _:
            changed = bytearray(now)
            for _ in range(dice.choice((1, 1, 2, 8)) if changed else 0):
                changed[dice.randrange(len(changed))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
            return bytes(changed)


def value(field: FieldDescriptor, dice: Random, words: "tuple[str, ...]", now: Any = None) -> Any:
    """Gives a value for a field that holds no message."""
    match field.cpp_type:
        case _F.CPPTYPE_BOOL:
            return dice.random() < 0.5
        case _F.CPPTYPE_FLOAT | _F.CPPTYPE_DOUBLE:
            return real(field.cpp_type, dice)
        case _F.CPPTYPE_STRING if field.type == _F.TYPE_BYTES:
            return data(dice, now if isinstance(now, bytes) else b"")
        case _F.CPPTYPE_STRING:
            return text(dice, words)
        case kind:
            return number(kind, dice)
