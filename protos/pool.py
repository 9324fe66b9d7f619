"""The descriptor pool that holds Hondo's messages.

protobuf's default pool takes one definition of a message name. `tritonclient` registers `inference.*` there, so
Hondo keeps its own in a pool of its own and both can be imported into one process, in either order.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

POOL = DescriptorPool()


def load(serialized_file: bytes) -> dict[str, Any]:
    """Adds a serialized FileDescriptorProto to the pool; gives its messages, enums and DESCRIPTOR by name."""
    POOL.AddSerializedFile(serialized_file)
    file = POOL.FindFileByName(FileDescriptorProto.FromString(serialized_file).name)
    names: dict[str, Any] = {"DESCRIPTOR": file}
    names |= {name: GetMessageClass(message) for name, message in file.message_types_by_name.items()}
    names |= {name: EnumTypeWrapper(enum) for name, enum in file.enum_types_by_name.items()}
    return names
