"""What an edge detector's manifest says of its graph, held against it before anyone asks."""

from collections.abc import Mapping
from typing import Final

from hondo.artifact import MODEL
from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import EdgeDetection
from serving.runtime.session import Session, in_words

EDGES: Final = "edges"
SIDE_EDGES: Final = "side_edges"
# Of a picture, either side, pixels.
SMALLEST_PX: Final = 16

_CHANNELS: Final = frozenset({1, 3})


def check(task: EdgeDetection, sessions: Mapping[str, Session]) -> None:
    """Holds that graph "model" takes pictures of any size and gives a map of each.

    Raises:
        InvalidArtifact: the manifest contradicts the graph or itself.
    """
    if set(sessions) != {MODEL}:
        raise InvalidArtifact(f"an edge detector has one graph, of the role {MODEL!r}; here are {', '.join(sessions)}")
    if task.channels not in _CHANNELS:
        raise InvalidArtifact(f"channels: the manifest says {task.channels}, 1 or 3 expected")
    if task.reach_px and not task.step_px:
        raise InvalidArtifact("step_px: 0, at least 1 expected where reach_px is not 0")
    session = sessions[MODEL]
    taken = [(signature.datatype.name, signature.wire_shape) for signature in session.inputs]
    if taken != [("UINT8", [-1, -1, -1, task.channels])]:
        expected = f"UINT8[-1, -1, -1, {task.channels}]"
        raise InvalidArtifact(f"an edge detector takes {expected}, the graph takes {in_words(session.inputs)}")
    ranks = {signature.name: len(signature.shape) for signature in session.outputs if signature.datatype.name == "FP32"}
    if ranks not in ({EDGES: 3}, {EDGES: 3, SIDE_EDGES: 4}):
        expected = f"{EDGES!r} FP32[N, H, W], and no more than {SIDE_EDGES!r} FP32[N, S, H, W] beside it"
        raise InvalidArtifact(f"an edge detector gives {expected}, the graph gives {in_words(session.outputs)}")
