"""What a classifier's manifest says of its input and labels, held against its graph before anyone asks."""

from collections.abc import Mapping, Sequence

import numpy as np

from hondo import images, text
from hondo.artifact import MODEL
from hondo.errors import InvalidArtifact, InvalidRequest
from protos.manifest_pb2 import Classification, TableInput, TextInput
from serving.runtime.session import Session, in_words


def check(task: Classification, sessions: Mapping[str, Session]) -> None:
    """Holds that graph "model" takes what the manifest describes and gives a number for each label.

    Raises:
        InvalidArtifact: the manifest contradicts the graph or itself.
    """
    if set(sessions) != {MODEL}:
        raise InvalidArtifact(f"a classifier has one graph, of the role {MODEL!r}; here are {', '.join(sessions)}")
    _check_input(task, sessions[MODEL])
    outputs = sessions[MODEL].outputs
    if len(outputs[0].shape) != 2 or outputs[0].shape[1] != len(task.labels):
        raise InvalidArtifact(
            f"labels: the manifest has {len(task.labels)} labels, the graph gives {in_words(outputs)}"
        )


def _check_input(task: Classification, session: Session) -> None:
    match task.WhichOneof("input"):
        case "image":
            images.check(task.image)
            shape_HWC = [task.image.height, task.image.width, task.image.channels]
            _check_takes(session, "image: the manifest makes of a picture", "UINT8", shape_HWC)
        case "text":
            text.check(task.text)
            _check_takes(session, "text: the manifest makes of a text", "INT64", [task.text.length])
            _check_knows_words(session, task.text)
        case "table":
            _check_columns(task.table)
            _check_takes(session, "table: the manifest makes of a row", "FP32", [len(task.table.columns)])
        case _:
            raise InvalidArtifact("the manifest says neither image nor text nor table of what is classified")


def _check_knows_words(session: Session, spec: TextInput) -> None:
    """Holds that the graph takes the id of every word: where it takes the last, it takes all."""
    last = len(spec.vocabulary) - 1
    try:
        session.run({session.inputs[0].name: np.full((1, spec.length), last, np.int64)})
    except InvalidRequest as error:
        raise InvalidArtifact(f"text: the vocabulary has {last + 1} words, the graph has not: {error}") from error


def _check_columns(spec: TableInput) -> None:
    if not spec.columns or not all(spec.columns):
        raise InvalidArtifact(f"table: the columns are {list(spec.columns)}, at least one expected, each with a name")
    if len(set(spec.columns)) != len(spec.columns):
        raise InvalidArtifact(f"table: two columns have one name: {', '.join(spec.columns)}")


def _check_takes(session: Session, manifest_makes: str, datatype: str, shape: Sequence[int]) -> None:
    """Holds that the graph's only input takes any number of rows of that shape."""
    if len(session.inputs) == 1:
        signature = session.inputs[0]
        taken = signature.wire_shape
        free_or_same = len(taken) == 1 + len(shape) and all(
            side in {-1, want} for side, want in zip(taken, [-1, *shape], strict=True)
        )
        if signature.datatype.name == datatype and free_or_same:
            return
    raise InvalidArtifact(f"{manifest_makes} {datatype}{list(shape)}, the graph takes {in_words(session.inputs)}")
