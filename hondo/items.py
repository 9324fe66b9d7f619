"""Items: the pictures, texts and rows that a classifier is asked about, on their way into a request."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

from hondo.errors import InvalidText
from protos.hondo_pb2 import CaptionRequest, ClassifyRequest, DetectEdgesRequest, Row

# A picture: the bytes of a file, or the path of one.
Picture = bytes | str | os.PathLike[str]
# A row of a table: a number for each of the model's columns.
Numbers = Iterable[float]

# The field of a request that takes items of one kind, and what goes into it for one.
Field = Literal["images", "texts", "rows"]
Content = bytes | str | Row

Items = TypeVar("Items")


def chosen(images: Items | None, texts: Items | None, rows: Items | None) -> tuple[Field, Items]:
    """Gives the kind of items that a caller gave, and the items.

    Raises:
        TypeError: it gave none, or several kinds, or one item alone.
    """
    all_fields: tuple[tuple[Field, Items | None], ...] = (("images", images), ("texts", texts), ("rows", rows))
    given = [(field, items) for field, items in all_fields if items is not None]
    if len(given) != 1:
        named = " and ".join(field for field, _ in given) or "none"
        raise TypeError(f"images, texts or rows: one of them expected, {named} given")
    field, items = given[0]
    if isinstance(items, bytes | str | os.PathLike):
        raise TypeError(f"{field} takes several, here is one alone: {field}=[it]")
    return field, items


def content(field: Field, item: Any) -> Content:
    """Gives what goes into a request for an item.

    Raises:
        OSError: a picture's file cannot be read.
        InvalidText: a text is not Unicode.
        TypeError: the item is of another kind than the field.
    """
    match field:
        case "images":
            return _file(item)
        case "texts":
            return text(item)
        case "rows":
            if not isinstance(item, Iterable):
                raise TypeError(f"rows: each is several numbers, here is {item!r} alone")
            return Row(values=item)


def size_bytes(content: Content) -> int:
    """Gives about how long an item makes a request."""
    return content.ByteSize() if isinstance(content, Row) else len(content)


def request(
    field: Field, items: Iterable[object], *, model: str = "", version: int = 0, top_k: int = 0
) -> ClassifyRequest:
    """Gives the request that asks about some items."""
    made = ClassifyRequest(model=model, version=version, top_k=top_k)
    for index, item in enumerate(items):
        try:
            getattr(made, field).append(content(field, item))
        except InvalidText as error:
            raise InvalidText(f"{field}[{index}]: {error}", index) from error
    return made


def edges_request(images: Iterable[Picture], **settings: Any) -> DetectEdgesRequest:
    """Gives the request for the edges in some pictures; the settings are its fields.

    Raises:
        OSError: a picture's file cannot be read.
        TypeError: one picture came alone.
    """
    if isinstance(images, bytes | str | os.PathLike):
        raise TypeError("images takes several, here is one alone: images=[it]")
    return DetectEdgesRequest(images=[_file(image) for image in images], **settings)


def caption_request(image: Picture, **settings: Any) -> CaptionRequest:
    """Gives the request for captions of a picture; the settings are its fields.

    Raises:
        OSError: the picture's file cannot be read.
    """
    return CaptionRequest(image=_file(image), **settings)


def _file(picture: Picture) -> bytes:
    return picture if isinstance(picture, bytes) else Path(picture).read_bytes()


def text(item: object) -> str:
    """Gives what was given as a text, if it can travel as one.

    Raises:
        TypeError: it is no text.
        InvalidText: it is not Unicode.
    """
    if not isinstance(item, str):
        raise TypeError(f"text: str expected, not {type(item).__name__}")
    try:
        item.encode()
    except UnicodeEncodeError as error:
        raise InvalidText(f"the text is not Unicode: {error.reason} at character {error.start}") from error
    return item
