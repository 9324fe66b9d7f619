"""What the manifest of a model that writes says, held against its graphs before anyone asks."""

from collections.abc import Mapping

from hondo import characters
from protos.manifest_pb2 import TextGeneration
from serving.contract import choice
from serving.decode.graphs import Graphs
from serving.runtime.session import Session


def check(task: TextGeneration, sessions: Mapping[str, Session]) -> None:
    """Holds that the vocabulary is whole, and that the graphs are those of a decode loop with the known controls.

    Raises:
        InvalidArtifact: the manifest contradicts itself, or the graphs are not what it takes.
    """
    characters.check(task)
    choice.check_inputs(Graphs.of(sessions).constants)
