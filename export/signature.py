"""The tensors of a classifier's graph, as its task has them: what the server relies on.

Legend: N batch, H height, W width, C channels, T words, F columns, K classes.
"""

from typing import Final, assert_never

from protos.manifest_pb2 import Classification
from serving.datatypes import BY_NAME
from serving.session import Signature

# What a dimension is called that a request chooses.
BATCH: Final = "N"

IMAGE: Final = "image"
TOKENS: Final = "tokens"
VALUES: Final = "values"
PROBABILITIES: Final = "probabilities"


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


def text(signature: Signature) -> str:
    """Gives a signature in words, for example `image UINT8[N,28,28,1]`."""
    return f"{signature.name} {signature.datatype.name}[{','.join(map(str, signature.shape))}]"
