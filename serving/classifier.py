"""What a classifier's manifest says of pictures and labels, held against its graph before anyone asks."""

from collections.abc import Mapping

from hondo import images
from hondo.artifact import MODEL
from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import Classification
from serving.session import Session, Signature, in_words


def check(task: Classification, sessions: Mapping[str, Session]) -> None:
    """Holds that graph "model" takes the pictures that the manifest describes and gives a number for each label.

    Raises:
        InvalidArtifact: the manifest contradicts the graph or itself.
    """
    if set(sessions) != {MODEL}:
        raise InvalidArtifact(f"a classifier has one graph, of the role {MODEL!r}; here are {', '.join(sessions)}")
    images.check(task.image)
    inputs, outputs = sessions[MODEL].inputs, sessions[MODEL].outputs
    shape_HWC = [task.image.height, task.image.width, task.image.channels]
    if len(inputs) != 1 or not _takes(inputs[0], shape_HWC):
        raise InvalidArtifact(
            f"image: the manifest makes pictures UINT8{shape_HWC}, the graph takes {in_words(inputs)}"
        )
    if len(outputs[0].shape) != 2 or outputs[0].shape[1] != len(task.labels):
        raise InvalidArtifact(
            f"labels: the manifest has {len(task.labels)} labels, the graph gives {in_words(outputs)}"
        )


def _takes(signature: Signature, shape_HWC: list[int]) -> bool:
    """Tells whether an input takes any number of pictures of that shape."""
    shape = signature.wire_shape
    return (
        signature.datatype.name == "UINT8"
        and len(shape) == 4
        and shape[0] == -1
        and all(want in {-1, side} for want, side in zip(shape[1:], shape_HWC, strict=True))
    )
