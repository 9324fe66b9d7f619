"""Spoiling a message by its structure: a few of its fields, at any depth, become what nobody should send."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.fuzz import extremes

Words = tuple[str, ...]

# How many elements a list is brought to, at most.
_MANY: Final = (2, 17, 129, 1000, 20_000)
# What all elements of a list together may weigh, bytes: what takes a server seconds by right is no hang.
_HEAVY_BYTES: Final = 12_000
_MEMBERS_DEEP: Final = 3


def spoil(message: Message, dice: Random, words: Words) -> None:
    """Spoils one to four places of a message."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        part = dice.choice(_parts(message))
        if part.DESCRIPTOR.fields:
            _spoil_field(part, _chosen(part, dice), dice, words)


def filled(kind: type[Message], dice: Random, words: Words, depth: int = _MEMBERS_DEEP) -> Message:
    """Gives a message of which every field has a value: of a method that nobody wrote good requests for."""
    message = kind()
    for field in message.DESCRIPTOR.fields:
        assert isinstance(field, FieldDescriptor)
        if depth or field.message_type is None:
            _set(message, field, dice, words, depth - 1)
    return message


def _parts(message: Message) -> list[Message]:
    """Gives a message and all messages within it."""
    parts = [message]
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if is_map(field):
            values = field.message_type.fields_by_name["value"]
            within = [value[key] for key in value] if values.message_type else []
        else:
            within = list(value)[:20] if field.is_repeated else [value]
        parts.extend(part for each in within for part in _parts(each))
    return parts


def is_map(field: FieldDescriptor) -> bool:
    """Says whether a field is a map."""
    return bool(field.message_type and field.message_type.has_options and field.message_type.GetOptions().map_entry)


def _chosen(message: Message, dice: Random) -> FieldDescriptor:
    """Chooses a field, rather one that is set."""
    has = [field for field, _ in message.ListFields() if not field.is_extension]
    chosen = dice.choice(has if has and dice.random() < 0.7 else list(message.DESCRIPTOR.fields))
    assert isinstance(chosen, FieldDescriptor)
    return chosen


def _spoil_field(message: Message, field: FieldDescriptor, dice: Random, words: Words) -> None:
    if dice.random() < 0.12:
        message.ClearField(field.name)
    elif dice.random() < 0.1:
        _swap(message, field, dice)
    elif field.is_repeated and not is_map(field) and dice.random() < 0.6:
        dice.choice(_LISTS)(message, field, dice, words)
    else:
        _set(message, field, dice, words, 1)


def _set(message: Message, field: FieldDescriptor, dice: Random, words: Words, depth: int) -> None:
    """Gives a field, or one more or one other of its elements, a value."""
    now = getattr(message, field.name)
    if is_map(field):
        _set_entry(now, field, dice, words, depth)
    elif field.message_type is not None:
        part = now.add() if field.is_repeated else now
        part.SetInParent()
        if depth > 0:
            part.MergeFrom(filled(type(part), dice, words, depth - 1))
    elif not field.is_repeated:
        setattr(message, field.name, extremes.value(field, dice, words, now))
    elif now and dice.random() < 0.7:
        place = dice.randrange(len(now))
        now[place] = extremes.value(field, dice, words, now[place])
    else:
        now.append(extremes.value(field, dice, words))


def _set_entry(entries: Any, field: FieldDescriptor, dice: Random, words: Words, depth: int) -> None:
    assert field.message_type is not None, "a map has entries"
    names = field.message_type.fields_by_name
    key = extremes.value(names["key"], dice, words)
    if names["value"].message_type is None:
        entries[key] = extremes.value(names["value"], dice, words)
    else:
        entries[key].SetInParent()
        if depth > 0:
            entries[key].MergeFrom(filled(type(entries[key]), dice, words, depth - 1))


def _swap(message: Message, field: FieldDescriptor, dice: Random) -> None:
    """Changes a field's value with that of another of its type."""
    alike = [
        other
        for other in message.DESCRIPTOR.fields
        if other.type == field.type and not other.is_repeated and other.message_type is None
    ]
    if not field.is_repeated and field in alike:
        other = dice.choice(alike)
        ours, theirs = getattr(message, field.name), getattr(message, other.name)
        setattr(message, field.name, theirs)
        setattr(message, other.name, ours)


def _turn(message: Message, field: FieldDescriptor, _dice: Random, _words: Words) -> None:
    elements = list(getattr(message, field.name))
    message.ClearField(field.name)
    getattr(message, field.name).extend(reversed(elements))


def _drop(message: Message, field: FieldDescriptor, dice: Random, _words: Words) -> None:
    elements = getattr(message, field.name)
    if elements:
        del elements[dice.randrange(len(elements))]


def _repeat(message: Message, field: FieldDescriptor, dice: Random, words: Words) -> None:
    """Brings a list to a length."""
    if not getattr(message, field.name):
        _set(message, field, dice, words, 1)
    elements = list(getattr(message, field.name)) or [extremes.value(field, dice, words)]
    weight = max(1, message.ByteSize() // len(elements))
    wanted = min(dice.choice(_MANY), max(len(elements), _HEAVY_BYTES // weight))
    message.ClearField(field.name)
    getattr(message, field.name).extend((elements * (wanted // len(elements) + 1))[:wanted])


_LISTS: Final[tuple[Callable[[Message, FieldDescriptor, Random, Words], None], ...]] = (_turn, _drop, _repeat, _repeat)
