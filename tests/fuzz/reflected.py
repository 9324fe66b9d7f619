"""What a server says of itself by reflection: every method that it has, so that a new one is fuzzed without a word."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from tests.serving.asking import PATIENCE_S

Metadata = tuple[tuple[str, str | bytes], ...]

_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC method."""

    # /SERVICE/METHOD
    path: str
    request: type[Message]
    requests_stream: bool
    responses_stream: bool


def methods(channel: grpc.Channel, metadata: Metadata = ()) -> list[Method]:
    """Gives every method of every service that a server has, by name."""
    (listed,) = _ask(channel, metadata, [ServerReflectionRequest(list_services="")])
    names = [service.name for service in listed.list_services_response.service]
    pool = _pool(_ask(channel, metadata, [ServerReflectionRequest(file_containing_symbol=name) for name in names]))
    return sorted((method for name in names for method in _methods(pool, name)), key=lambda method: method.path)


def _ask(
    channel: grpc.Channel, metadata: Metadata, requests: Sequence[ServerReflectionRequest]
) -> list[ServerReflectionResponse]:
    call: grpc.StreamStreamMultiCallable[ServerReflectionRequest, ServerReflectionResponse] = channel.stream_stream(
        _REFLECTION, ServerReflectionRequest.SerializeToString, ServerReflectionResponse.FromString
    )
    return list(call(iter(requests), metadata=metadata, timeout=PATIENCE_S))


def _pool(responses: Sequence[ServerReflectionResponse]) -> DescriptorPool:
    """Gives a pool of all files that came, each after those that it imports."""
    came = (file for response in responses for file in response.file_descriptor_response.file_descriptor_proto)
    files = {file.name: file for file in map(FileDescriptorProto.FromString, came)}
    pool = DescriptorPool()

    def add(name: str) -> None:
        if file := files.pop(name, None):
            for dependency in file.dependency:
                add(dependency)
            pool.AddSerializedFile(file.SerializeToString())

    for name in list(files):
        add(name)
    return pool


def _methods(pool: DescriptorPool, service: str) -> Iterator[Method]:
    for method in pool.FindServiceByName(service).methods:
        yield Method(
            path=f"/{service}/{method.name}",
            request=GetMessageClass(method.input_type),
            requests_stream=method.client_streaming,
            responses_stream=method.server_streaming,
        )
