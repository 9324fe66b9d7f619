"""Descriptions: what the typed service says of a model."""

from protos.hondo_pb2 import Absent as AbsentDescription
from protos.hondo_pb2 import GraphSignature, TensorSignature
from protos.hondo_pb2 import Model as Description
from serving.catalog.absent import Absent
from serving.catalog.model import Model
from serving.runtime.session import Signature


def describe(model: Model) -> Description:
    """Gives all that is known of a model."""
    graphs = [
        GraphSignature(
            role=role,
            inputs=[_tensor(signature) for signature in session.inputs],
            outputs=[_tensor(signature) for signature in session.outputs],
        )
        for role, session in model.sessions.items()
    ]
    manifest = model.artifact.manifest if model.artifact else None
    return Description(name=model.name, version=model.version, task=model.task, graphs=graphs, manifest=manifest)


def describe_in_short(model: Model) -> Description:
    """Gives the same without the vocabulary, which is longer than all the rest of a list."""
    description = describe(model)
    if description.manifest.classification.WhichOneof("input") == "text":
        description.manifest.classification.text.ClearField("vocabulary")
    if model.task == "text_generation":
        description.manifest.text_generation.ClearField("vocabulary")
    if model.task == "captioning":
        description.manifest.captioning.ClearField("vocabulary")
    return description


def describe_absent(absent: Absent) -> AbsentDescription:
    """Says why a version is not served."""
    return AbsentDescription(name=absent.name, version=absent.version, state=absent.state.name, reason=absent.reason)


def _tensor(signature: Signature) -> TensorSignature:
    return TensorSignature(name=signature.name, datatype=signature.datatype.name, shape=signature.wire_shape)
