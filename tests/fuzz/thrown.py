"""What was thrown at a server: all that is needed to throw it again, and how it is kept in a file."""

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.reflected import Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a method."""

    # /SERVICE/METHOD
    path: str
    # One, or more where they stream.
    messages: tuple[bytes, ...]
    metadata: Metadata = ()
    # The bytes on the wire are gzip's.
    squeezed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Bytes on a connection."""

    # Of the metrics; else of gRPC.
    to_metrics: bool
    # What is sent, and how long to wait after each, seconds.
    parts: tuple[tuple[bytes, float], ...]
    # How it ends: see `connections`.
    ending: str


Thrown = Call | Connection


def write(path: Path, thrown: Iterable[Thrown]) -> None:
    """Writes what was thrown, a JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        for each in thrown:
            kind = "call" if isinstance(each, Call) else "connection"
            file.write(json.dumps({kind: _packed(asdict(each))}) + "\n")


def read(path: Path) -> list[Thrown]:
    """Reads it again."""
    every: list[Thrown] = []
    for line in path.read_text("ascii").splitlines():
        ((kind, fields),) = json.loads(line).items()
        unpacked = {name: _unpacked(value) for name, value in fields.items()}
        every.append(Call(**unpacked) if kind == "call" else Connection(**unpacked))
    return every


def _packed(value: Any) -> Any:
    match value:
        case bytes():
            return {"base64": base64.b64encode(value).decode()}
        case dict():
            return {name: _packed(each) for name, each in value.items()}
        case list() | tuple():
            return [_packed(each) for each in value]
        case _:
            return value


def _unpacked(value: Any) -> Any:
    match value:
        case {"base64": text}:
            return base64.b64decode(text)
        case list():
            return tuple(_unpacked(each) for each in value)
        case _:
            return value
