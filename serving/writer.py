"""What the manifest of a model that writes says, held against its graphs before anyone asks."""

from collections.abc import Mapping
from typing import Final

from hondo import characters
from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import TextGeneration
from serving.decode.graphs import Graphs
from serving.session import Session, in_words

# How "step" chooses: its inputs beside tokens, numbers and state, one for each row.
TEMPERATURE: Final = "temperature"
TOP_K: Final = "top_k"
TOP_P: Final = "top_p"
_CONTROLS: Final = {TEMPERATURE: "FP32", TOP_K: "INT64", TOP_P: "FP32"}


def check(task: TextGeneration, sessions: Mapping[str, Session]) -> None:
    """Holds that the vocabulary is whole, and that the graphs are those of a decode loop with these controls.

    Raises:
        InvalidArtifact: the manifest contradicts itself, or the graphs are not what it takes.
    """
    characters.check(task)
    constants = Graphs.of(sessions).constants
    if {each.name: each.datatype.name for each in constants if len(each.shape) == 1} != _CONTROLS:
        expected = ", ".join(f"{name!r} {datatype}[-1]" for name, datatype in _CONTROLS.items())
        raise InvalidArtifact(f"graph 'step' must take {expected} beside tokens and state, not {in_words(constants)}")
