"""The file results.json of a run folder: how a training went, whatever it trained."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from google.protobuf import json_format

from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import Score


class Scored(Protocol):
    """A dataclass of plain values beside its scores."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def scores(self) -> tuple[Score, ...]:
        """Of the net that is exported."""


Kind = TypeVar("Kind", bound=Scored)


def write(path: Path, results: Scored) -> None:
    """Writes how a training went."""
    plain = {field.name: getattr(results, field.name) for field in fields(results)}
    plain["scores"] = [json_format.MessageToDict(score) for score in results.scores]
    path.write_text(json.dumps(plain, indent=2) + "\n", "utf-8")


def read(path: Path, kind: type[Kind]) -> Kind:
    """Reads how a training went.

    Raises:
        InvalidArtifact: the file is missing or damaged.
    """
    try:
        plain = json.loads(path.read_text("utf-8"))
        scores = tuple(json_format.ParseDict(score, Score()) for score in plain["scores"])
        return kind(**{**plain, "scores": scores})
    except (OSError, ValueError, KeyError, TypeError, json_format.ParseError) as error:
        raise InvalidArtifact(f"{path} cannot be read: {error}") from error
