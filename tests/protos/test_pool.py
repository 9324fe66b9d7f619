import pytest
from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from protos import hondo_pb2, inference_pb2, manifest_pb2
from protos.pool import POOL

MODULES = (hondo_pb2, inference_pb2, manifest_pb2)
MESSAGES = [
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Message)
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.DESCRIPTOR.full_name)
def test_messages_live_in_the_private_pool_only(message: type[Message]) -> None:
    """Each message is Hondo's own, so that another package may register the same name in the default pool."""
    name = message.DESCRIPTOR.full_name
    assert POOL.FindMessageTypeByName(name) is message.DESCRIPTOR
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName(name)


def test_all_messages_were_looked_at() -> None:
    """The rule above is held for the wire and the manifest alike."""
    names = {message.DESCRIPTOR.full_name for message in MESSAGES}
    assert names >= {"hondo.v1.ClassifyRequest", "inference.ModelInferRequest", "hondo.v1.Manifest"}
