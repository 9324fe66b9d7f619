"""Good requests to the models of `serving.assortment`, made by code: what the fuzzers spoil."""

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from protos.hondo_pb2 import (
    CaptionRequest,
    ClassifyRequest,
    DetectEdgesRequest,
    EdgeFormat,
    GenerateRequest,
    GetModelRequest,
    Priority,
    Row,
    ScoreRequest,
)
from protos.inference_pb2 import ModelInferRequest, ModelMetadataRequest, ModelReadyRequest, RepositoryModelLoadRequest
from protos.inference_pb2 import RepositoryModelUnloadRequest as Unload
from protos.triton_pb2 import (
    ModelConfigRequest,
    ModelStatisticsRequest,
    SystemSharedMemoryRegisterRequest,
    SystemSharedMemoryStatusRequest,
    SystemSharedMemoryUnregisterRequest,
)
from tests.serving import captioners, requests, words
from tests.serving.asking import raw
from tests.serving.values import CONTENTS, VALUES

# The shared memory that the server may use, and what it is registered as.
MEMORY: Final = "hondo_fuzz"
MEMORY_BYTES: Final = 4096
REGION: Final = "lent"

# What means something to a server, beside what the good requests say.
WORDS: Final = (
    *("side", "mood", "direction", "edgy", "writer", "teller", "two", "join", "add", "pick", "remember"),
    *(f"same_{datatype}" for datatype in VALUES),
    *VALUES,
    *("image", "probabilities", "tokens", "x", "y", "a", "b", "name", "number", "text", "index", "token"),
    *("sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "classification", "binary_data_size"),
    *("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size", REGION, MEMORY, f"/{MEMORY}"),
    *("1", "2", "side/1", "inference.GRPCInferenceService", "hondo.v1.Hondo", "grpc.health.v1.Health"),
    *("trace_level", "log_verbose_level", "a good film", "a\n", "config", "file:1/model.onnx"),
)


def good() -> Mapping[str, Sequence[Message]]:
    """Gives good requests by the full names of their messages."""
    every = (*_inferences(), *_of_people(), *_of_models(), *_of_memory(), *_standing())
    by_name: dict[str, list[Message]] = {}
    for each in every:
        by_name.setdefault(each.DESCRIPTOR.full_name, []).append(each)
    return by_name


def _inferences() -> list[ModelInferRequest]:
    every = [requests.joined(), requests.summed(), requests.seen(), _lent(), *_sequence()]
    every += [requests.same(datatype, as_typed=False) for datatype in VALUES]
    every += [requests.same(datatype, as_typed=True) for datatype in CONTENTS]
    return every


def _lent() -> ModelInferRequest:
    """Gives a request whose input and output lie in shared memory."""
    request = ModelInferRequest(model_name="same_UINT8")
    tensor = request.inputs.add(name="x", datatype="UINT8", shape=[2, 3])
    output = request.outputs.add(name="y")
    for place, parameters in enumerate((tensor.parameters, output.parameters)):
        parameters["shared_memory_region"].string_param = REGION
        parameters["shared_memory_byte_size"].int64_param = 6
        parameters["shared_memory_offset"].int64_param = 8 * place
    return request


def _sequence() -> list[ModelInferRequest]:
    """Gives the requests that begin, go on with and end a sequence."""
    every = []
    for parameter in ("sequence_start", "sequence_id", "sequence_end"):
        request = raw("INT64", [1, 1], [7])
        request.model_name = "remember"
        request.parameters["sequence_id"].int64_param = 5
        if parameter != "sequence_id":
            request.parameters[parameter].bool_param = True
        every.append(request)
    return every


def _of_people() -> list[Message]:
    picture = captioners.png(captioners.picture(0))
    return [
        ClassifyRequest(model="side", images=requests.PICTURES, top_k=2),
        ClassifyRequest(images=requests.PICTURES[:1], priority=Priority.HIGH, queue_timeout_ms=1000),
        ClassifyRequest(texts=list(words.TEXTS)),
        ClassifyRequest(model="direction", rows=[Row(values=[0.5, 1]), Row(values=[-1, 2])]),
        DetectEdgesRequest(images=[requests.LARGER], thin=True, threshold=0.5),
        DetectEdgesRequest(model="edgy", images=[requests.LARGER], format=EdgeFormat.FLOAT_32),
        GenerateRequest(prompt="a good ", max_characters=20, seed=1, stop=["x"], continuations=2),
        GenerateRequest(model="writer", max_characters=9, temperature=0.5, top_k=3, top_p=0.5, log_probabilities=True),
        ScoreRequest(text="a good film", log_probabilities=True, replace_unknown=True),
        CaptionRequest(image=picture, max_words=9, captions=2, temperature=1, top_k=4, seed=1, attention=True),
        CaptionRequest(model="teller", image=picture, beam_width=3, length_penalty=0.7, best_so_far=True),
    ]


def _of_models() -> list[Message]:
    return [
        GetModelRequest(model="side", version=1),
        ModelReadyRequest(name="side"),
        ModelMetadataRequest(name="side", version="1"),
        ModelConfigRequest(name="remember"),
        ModelStatisticsRequest(name="side"),
        RepositoryModelLoadRequest(model_name="same_BOOL"),
        Unload(model_name="same_BOOL"),
    ]


def _of_memory() -> list[Message]:
    return [
        SystemSharedMemoryRegisterRequest(name=REGION, key=f"/{MEMORY}", byte_size=64),
        SystemSharedMemoryRegisterRequest(name="other", key=MEMORY, offset=64, byte_size=MEMORY_BYTES - 64),
        SystemSharedMemoryStatusRequest(name=REGION),
        SystemSharedMemoryUnregisterRequest(name="other"),
    ]


def _standing() -> list[Message]:
    return [
        HealthCheckRequest(service="side"),
        ServerReflectionRequest(list_services="x"),
        ServerReflectionRequest(file_containing_symbol="hondo.v1.Hondo.Classify"),
        ServerReflectionRequest(file_by_filename="protos/hondo.proto"),
    ]
