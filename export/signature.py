"""The tensors of a task's graph: what the server relies on.

Legend: N batch, H height, W width, C channels, T words, F columns, K classes, S side outputs.
"""

from typing import Final, assert_never

from protos.manifest_pb2 import Classification
from serving.runtime.datatypes import BY_NAME
from serving.runtime.session import Signature

# What the dimensions are called that a request chooses.
BATCH: Final = "N"
HEIGHT: Final = "H"
WIDTH: Final = "W"

IMAGE: Final = "image"
TOKENS: Final = "tokens"
VALUES: Final = "values"
PROBABILITIES: Final = "probabilities"
EDGES: Final = "edges"
SIDE_EDGES: Final = "side_edges"
FILTERED: Final = "filtered"


def takes(task: Classification) -> Signature:
    """Gives the graph's input: image u8[N,H,W,C], tokens i64[N,T] or values f32[N,F]."""
    kind = task.WhichOneof("input")
    match kind:
        case "image":
            image = task.image
            return Signature(IMAGE, BY_NAME["UINT8"], (BATCH, image.height, image.width, image.channels))
        case "text":
            return Signature(TOKENS, BY_NAME["INT64"], (BATCH, task.text.length))
        case "table":
            return Signature(VALUES, BY_NAME["FP32"], (BATCH, len(task.table.columns)))
        case None:
            raise ValueError("the task does not say what it classifies")
        case _:
            assert_never(kind)


def gives(task: Classification) -> Signature:
    """Gives the graph's output: probabilities f32[N,K]."""
    return Signature(PROBABILITIES, BY_NAME["FP32"], (BATCH, len(task.labels)))


def takes_whole(channels: int) -> Signature:
    """Gives the input of a graph that takes pictures as they are: image u8[N,H,W,C]."""
    return Signature(IMAGE, BY_NAME["UINT8"], (BATCH, HEIGHT, WIDTH, channels))


def gives_edges(sides: int) -> tuple[Signature, ...]:
    """Gives an edge detector's outputs: edges f32[N,H,W], and where it has any, side_edges f32[N,S,H,W]."""
    edges = Signature(EDGES, BY_NAME["FP32"], (BATCH, HEIGHT, WIDTH))
    return (edges, Signature(SIDE_EDGES, BY_NAME["FP32"], (BATCH, sides, HEIGHT, WIDTH))) if sides else (edges,)


def gives_filtered(channels: int) -> tuple[Signature, ...]:
    """Gives a filter's output: filtered f32[N,H,W,C]."""
    return (Signature(FILTERED, BY_NAME["FP32"], (BATCH, HEIGHT, WIDTH, channels)),)


def text(signature: Signature) -> str:
    """Gives a signature in words, for example `image UINT8[N,28,28,1]`."""
    return f"{signature.name} {signature.datatype.name}[{','.join(map(str, signature.shape))}]"
