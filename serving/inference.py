"""The Open Inference Protocol v2 on the catalog: tensors in, tensors out, for every loaded graph."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from importlib.metadata import version as package_version

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
from serving.catalog import MODEL, Catalog, Model
from serving.session import Session
from serving.tensors import read_inputs, wanted_outputs, write_outputs

_PLATFORM = "onnxruntime_onnx"  # as Triton calls it

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

    def __init__(self, catalog: Catalog, workers: Executor) -> None:
        self._catalog = catalog
        self._workers = workers

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
        return ServerMetadataResponse(name="hondo", version=package_version("hondo"))

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
        model = self._find(request.model_name, request.model_version)
        session = _only_session(model)
        _check_parameters(request)
        response = ModelInferResponse(model_name=model.name, model_version=str(model.version), id=request.id)
        # Large tensors take long to read and write, too: strings above all.
        await asyncio.get_running_loop().run_in_executor(self._workers, _run, session, request, response)
        return response

    def _find(self, name: str, version: str) -> Model:
        if not name:
            raise InvalidRequest("the model's name is empty")
        if version and not (version.isascii() and version.isdecimal() and len(version) < 20 and int(version)):
            raise ModelNotFound(f"model {name[:100]!r} has no version {version[:20]!r}: versions are numbers from 1")
        return self._catalog.find(name, int(version or 0))


def _run(session: Session, request: ModelInferRequest, response: ModelInferResponse) -> None:
    """Adds a graph's outputs for a request to the response."""
    feeds = read_inputs(request, session.inputs)
    arrays = session.run(feeds, wanted_outputs(request, session.outputs))
    typed = bool(request.inputs) and not request.raw_input_contents
    write_outputs(response, arrays, session.outputs, typed=typed)


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


def _refuse(field: str, parameters: Mapping[str, InferParameter]) -> None:
    for name in _UNSUPPORTED:
        if name in parameters and _is_set(parameters[name]):
            raise InvalidRequest(f"{field}: {name!r} is not supported by this server")


def _is_set(parameter: InferParameter) -> bool:
    choice = parameter.WhichOneof("parameter_choice")
    return choice is not None and bool(getattr(parameter, choice))
