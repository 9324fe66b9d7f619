"""The protocol's field numbers, written by hand from Triton's grpc_service.proto: what clients have compiled in."""

from typing import Final

import pytest
from google.protobuf.descriptor import FieldDescriptor

from protos.inference_pb2 import DESCRIPTOR
from protos.pool import POOL
from protos.rpc import INFERENCE

# Message -> field number -> name, type, and "repeated" or "map" where it is one.
FIELDS: Final = {
    "ServerLiveRequest": {},
    "ServerLiveResponse": {1: ("live", "bool")},
    "ServerReadyRequest": {},
    "ServerReadyResponse": {1: ("ready", "bool")},
    "ModelReadyRequest": {1: ("name", "string"), 2: ("version", "string")},
    "ModelReadyResponse": {1: ("ready", "bool")},
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {1: ("name", "string"), 2: ("version", "string"), 3: ("extensions", "repeated string")},
    "ModelMetadataRequest": {1: ("name", "string"), 2: ("version", "string")},
    "ModelMetadataResponse": {
        1: ("name", "string"),
        2: ("versions", "repeated string"),
        3: ("platform", "string"),
        4: ("inputs", "repeated ModelMetadataResponse.TensorMetadata"),
        5: ("outputs", "repeated ModelMetadataResponse.TensorMetadata"),
    },
    "ModelMetadataResponse.TensorMetadata": {
        1: ("name", "string"),
        2: ("datatype", "string"),
        3: ("shape", "repeated int64"),
    },
    "ModelInferRequest": {
        1: ("model_name", "string"),
        2: ("model_version", "string"),
        3: ("id", "string"),
        4: ("parameters", "map string InferParameter"),
        5: ("inputs", "repeated ModelInferRequest.InferInputTensor"),
        6: ("outputs", "repeated ModelInferRequest.InferRequestedOutputTensor"),
        7: ("raw_input_contents", "repeated bytes"),
    },
    "ModelInferRequest.InferInputTensor": {
        1: ("name", "string"),
        2: ("datatype", "string"),
        3: ("shape", "repeated int64"),
        4: ("parameters", "map string InferParameter"),
        5: ("contents", "InferTensorContents"),
    },
    "ModelInferRequest.InferRequestedOutputTensor": {
        1: ("name", "string"),
        2: ("parameters", "map string InferParameter"),
    },
    "ModelInferResponse": {
        1: ("model_name", "string"),
        2: ("model_version", "string"),
        3: ("id", "string"),
        4: ("parameters", "map string InferParameter"),
        5: ("outputs", "repeated ModelInferResponse.InferOutputTensor"),
        6: ("raw_output_contents", "repeated bytes"),
    },
    "ModelInferResponse.InferOutputTensor": {
        1: ("name", "string"),
        2: ("datatype", "string"),
        3: ("shape", "repeated int64"),
        4: ("parameters", "map string InferParameter"),
        5: ("contents", "InferTensorContents"),
    },
    "ModelStreamInferResponse": {1: ("error_message", "string"), 2: ("infer_response", "ModelInferResponse")},
    "InferParameter": {
        1: ("bool_param", "bool"),
        2: ("int64_param", "int64"),
        3: ("string_param", "string"),
        4: ("double_param", "double"),
        5: ("uint64_param", "uint64"),
    },
    "InferTensorContents": {
        1: ("bool_contents", "repeated bool"),
        2: ("int_contents", "repeated int32"),
        3: ("int64_contents", "repeated int64"),
        4: ("uint_contents", "repeated uint32"),
        5: ("uint64_contents", "repeated uint64"),
        6: ("fp32_contents", "repeated float"),
        7: ("fp64_contents", "repeated double"),
        8: ("bytes_contents", "repeated bytes"),
    },
    "RepositoryIndexRequest": {1: ("repository_name", "string"), 2: ("ready", "bool")},
    "RepositoryIndexResponse": {1: ("models", "repeated RepositoryIndexResponse.ModelIndex")},
    "RepositoryIndexResponse.ModelIndex": {
        1: ("name", "string"),
        2: ("version", "string"),
        3: ("state", "string"),
        4: ("reason", "string"),
    },
    "ModelRepositoryParameter": {
        1: ("bool_param", "bool"),
        2: ("int64_param", "int64"),
        3: ("string_param", "string"),
        4: ("bytes_param", "bytes"),
    },
    "RepositoryModelLoadRequest": {
        1: ("repository_name", "string"),
        2: ("model_name", "string"),
        3: ("parameters", "map string ModelRepositoryParameter"),
    },
    "RepositoryModelLoadResponse": {},
    "RepositoryModelUnloadRequest": {
        1: ("repository_name", "string"),
        2: ("model_name", "string"),
        3: ("parameters", "map string ModelRepositoryParameter"),
    },
    "RepositoryModelUnloadResponse": {},
}

METHODS: Final = {
    *("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelStreamInfer"),
    *("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"),
    *("ModelConfig", "ModelStatistics", "TraceSetting", "LogSettings"),
    *(f"SystemSharedMemory{what}" for what in ("Status", "Register", "Unregister")),
    *(f"CudaSharedMemory{what}" for what in ("Status", "Register", "Unregister")),
}

_TYPES: Final = {
    number: name.removeprefix("TYPE_").lower() for name, number in vars(FieldDescriptor).items() if name[:5] == "TYPE_"
}


def described(field: FieldDescriptor) -> str:
    """Gives a field's type in the words of the table."""
    if field.message_type is None:
        kind = _TYPES[field.type]
    elif field.message_type.GetOptions().map_entry:
        return "map " + " ".join(described(entry) for entry in field.message_type.fields)
    else:
        kind = field.message_type.full_name.removeprefix("inference.")
    return f"repeated {kind}" if field.is_repeated else kind


@pytest.mark.parametrize("message", FIELDS)
def test_fields_are_the_protocols(message: str) -> None:
    """Every field of a message has the protocol's number, name and type, and there is no other."""
    fields = POOL.FindMessageTypeByName(f"inference.{message}").fields
    assert {field.number: (field.name, described(field)) for field in fields} == FIELDS[message]


def test_no_message_is_missing_from_the_table() -> None:
    """The table above has every message of the file."""
    top = {name for name in FIELDS if "." not in name}
    assert set(DESCRIPTOR.message_types_by_name) == top


def test_parameter_is_one_of_its_kinds() -> None:
    """A parameter holds one value, as the protocol's oneof demands."""
    choice = POOL.FindMessageTypeByName("inference.InferParameter").oneofs_by_name["parameter_choice"]
    assert {field.number for field in choice.fields} == set(FIELDS["InferParameter"])


def test_service_is_the_protocols() -> None:
    """Clients find the methods under the protocol's service name, each from its own request to its own response."""
    assert INFERENCE.full_name == "inference.GRPCInferenceService"
    assert {method.name for method in INFERENCE.methods} == METHODS
    for method in INFERENCE.methods:
        assert method.input_type.name == f"{method.name.replace('Stream', '')}Request"
        assert method.client_streaming == method.server_streaming == ("Stream" in method.name)
        assert method.output_type.name == f"{method.name}Response"
