"""The Open Inference Protocol v2 on the catalog: tensors in, tensors out, for every loaded graph."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from importlib.metadata import version as package_version
from typing import Final, TypeVar

from hondo.artifact import MODEL, Tensors
from hondo.errors import InvalidRequest, ModelNotFound, WrongTask
from protos.inference_pb2 import (
    InferParameter,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
)
from serving.catalog import Catalog
from serving.datatypes import BYTES
from serving.model import Model
from serving.queue import Priority
from serving.repository import Repository
from serving.session import Session
from serving.tensors import wanted_outputs, write_outputs

T = TypeVar("T")

_PLATFORM = "onnxruntime_onnx"  # as Triton calls it

# Contents beyond this are taken apart or copied off the event loop: it takes longer than the change of threads.
_LONG_BYTES: Final = 128 * 1024

# Parameters of Triton's that change what a request means: to ignore them would answer another question.
_UNSUPPORTED = (
    "classification",
    "sequence_id",
    "sequence_start",
    "sequence_end",
    "shared_memory_region",
)


class InferenceService:
    """The methods of `inference.GRPCInferenceService`."""

    def __init__(self, catalog: Catalog, workers: Executor, repository: Repository) -> None:
        self._catalog = catalog
        self._workers = workers
        self.repository_index = repository.index
        self.repository_model_load = repository.load
        self.repository_model_unload = repository.unload

    async def server_live(self, _request: ServerLiveRequest) -> ServerLiveResponse:
        """Says that the process is alive."""
        return ServerLiveResponse(live=True)

    async def server_ready(self, _request: ServerReadyRequest) -> ServerReadyResponse:
        """Says that every model is loaded: the port opens only then."""
        return ServerReadyResponse(ready=True)

    async def model_ready(self, request: ModelReadyRequest) -> ModelReadyResponse:
        """Says whether a model is loaded."""
        try:
            self._find(request.name, request.version)
        except ModelNotFound:
            return ModelReadyResponse(ready=False)
        return ModelReadyResponse(ready=True)

    async def server_metadata(self, _request: ServerMetadataRequest) -> ServerMetadataResponse:
        """Says who answers."""
        return ServerMetadataResponse(name="hondo", version=package_version("hondo"), extensions=["model_repository"])

    async def model_metadata(self, request: ModelMetadataRequest) -> ModelMetadataResponse:
        """Describes a model's tensors."""
        model = self._find(request.name, request.version)
        session = _only_session(model)
        tensor = ModelMetadataResponse.TensorMetadata
        return ModelMetadataResponse(
            name=model.name,
            versions=[str(number) for number in reversed(self._catalog.versions(model.name))],
            platform=_PLATFORM,
            inputs=[tensor(name=s.name, datatype=s.datatype.name, shape=s.wire_shape) for s in session.inputs],
            outputs=[tensor(name=s.name, datatype=s.datatype.name, shape=s.wire_shape) for s in session.outputs],
        )

    async def model_infer(self, request: ModelInferRequest) -> ModelInferResponse:
        """Runs a model. Outputs come typed where the inputs came typed, raw otherwise."""
        with self._find(request.model_name, request.model_version).used() as model:
            return await self._inferred(model, request)

    async def _inferred(self, model: Model, request: ModelInferRequest) -> ModelInferResponse:
        session = _only_session(model)
        _check_parameters(request)
        outputs = wanted_outputs(request, session.outputs)
        feeds = await self._done(_is_long_to_read(request, session), model.reader(MODEL).read, request)
        arrays = await model.batcher(MODEL).run(
            feeds, outputs, priority=_priority(request.parameters), timeout_ms=_timeout_ms(request.parameters)
        )
        response = ModelInferResponse(model_name=model.name, model_version=str(model.version), id=request.id)
        typed = bool(request.inputs) and not request.raw_input_contents
        write = partial(write_outputs, response, arrays, session.outputs, typed=typed)
        await self._done(_is_long_to_write(arrays), write)
        return response

    async def _done(self, is_long: bool, function: Callable[..., T], *args: object) -> T:
        """Calls a function; off the event loop where it takes long."""
        if is_long:
            return await asyncio.get_running_loop().run_in_executor(self._workers, function, *args)
        return function(*args)

    def _find(self, name: str, version: str) -> Model:
        if not name:
            raise InvalidRequest("the model's name is empty")
        if version and not (version.isascii() and version.isdecimal() and len(version) < 20 and int(version)):
            raise ModelNotFound(f"model {name[:100]!r} has no version {version[:20]!r}: versions are numbers from 1")
        return self._catalog.find(name, int(version or 0))


def _is_long_to_read(request: ModelInferRequest, session: Session) -> bool:
    """Raw numbers are read where they lie; typed contents and strings are taken apart one by one."""
    one_by_one = not request.raw_input_contents or any(signature.datatype is BYTES for signature in session.inputs)
    return one_by_one and request.ByteSize() > _LONG_BYTES


def _is_long_to_write(arrays: Tensors) -> bool:
    return sum(array.nbytes for array in arrays.values()) > _LONG_BYTES


def _only_session(model: Model) -> Session:
    if MODEL not in model.sessions or len(model.sessions) != 1:
        raise WrongTask(f"model {model.name!r} has several graphs ({', '.join(model.sessions)}): use its typed RPC")
    return model.sessions[MODEL]


def _check_parameters(request: ModelInferRequest) -> None:
    _refuse("parameters", request.parameters)
    for index, tensor in enumerate(request.inputs):
        _refuse(f"inputs[{index}].parameters", tensor.parameters)
    for index, output in enumerate(request.outputs):
        _refuse(f"outputs[{index}].parameters", output.parameters)


def _priority(parameters: Mapping[str, InferParameter]) -> Priority:
    """Triton's levels begin at 1, the most urgent; 0 and none are the default."""
    return Priority.HIGH if "priority" in parameters and _number(parameters["priority"]) == 1 else Priority.NORMAL


def _timeout_ms(parameters: Mapping[str, InferParameter]) -> float | None:
    """Triton's timeout is in microseconds; 0 and none leave it to the server."""
    return (_number(parameters["timeout"]) / 1000 if "timeout" in parameters else 0) or None


def _number(parameter: InferParameter) -> int:
    return parameter.uint64_param or max(0, parameter.int64_param)


def _refuse(field: str, parameters: Mapping[str, InferParameter]) -> None:
    for name in _UNSUPPORTED if parameters else ():
        if name in parameters and _is_set(parameters[name]):
            raise InvalidRequest(f"{field}: {name!r} is not supported by this server")


def _is_set(parameter: InferParameter) -> bool:
    choice = parameter.WhichOneof("parameter_choice")
    return choice is not None and bool(getattr(parameter, choice))
