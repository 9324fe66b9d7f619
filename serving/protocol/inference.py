"""The Open Inference Protocol v2 on the catalog: tensors in, tensors out, for every loaded graph."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from importlib.metadata import version as package_version
from typing import Final, NamedTuple, TypeVar

from hondo.artifact import MODEL, Tensors
from hondo.errors import InvalidRequest, ModelNotFound
from protos.inference_pb2 import (
    InferParameter,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ModelStreamInferResponse,
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
)
from serving.batching.queue import Priority
from serving.calls import Refuse
from serving.catalog.catalog import Catalog
from serving.catalog.model import Model
from serving.protocol import named
from serving.protocol.configuration import PLATFORM
from serving.protocol.lent import Lent
from serving.protocol.regions import Regions
from serving.protocol.sequences import END, ID, START, Sequencing
from serving.runtime.datatypes import BYTES
from serving.runtime.session import Signature
from serving.runtime.tensors import Reader, wanted_outputs, write_outputs
from serving.streams import Streams
from serving.telemetry.course import Stage, stage

T = TypeVar("T")

# Contents beyond this are taken apart or copied off the event loop: it takes longer than the change of threads.
_LONG_BYTES: Final = 128 * 1024

# Parameters of Triton's that change what a request means: to ignore them would answer another question.
_UNSUPPORTED = ("classification",)
# These mean something only where a model keeps a state.
_SEQUENCE = (ID, START, END)
# What streams' answers have among their parameters, as Triton's have it: each is its request's last.
_FINAL: Final = "triton_final_response"


class InferenceService:
    """The methods of `inference.GRPCInferenceService`, but for those of `serving.protocol.extensions`."""

    def __init__(
        self,
        catalog: Catalog,
        workers: Executor,
        *,
        regions: Regions,
        sequencing: Sequencing,
        extensions: Sequence[str],
        refuse: Refuse,
    ) -> None:
        self._sequencing = sequencing
        self._catalog = catalog
        self._workers = workers
        self._regions = regions
        self._extensions = extensions
        self._refuse = refuse
        self._streams = Streams(self._outcome, _rows_of)

    async def server_live(self, _request: ServerLiveRequest) -> ServerLiveResponse:
        """Says that the process is alive."""
        return ServerLiveResponse(live=True)

    async def server_ready(self, _request: ServerReadyRequest) -> ServerReadyResponse:
        """Says that every model is loaded: the port opens only then."""
        return ServerReadyResponse(ready=True)

    async def model_ready(self, request: ModelReadyRequest) -> ModelReadyResponse:
        """Says whether a model is loaded."""
        try:
            named.find(self._catalog, request.name, request.version)
        except ModelNotFound:
            return ModelReadyResponse(ready=False)
        return ModelReadyResponse(ready=True)

    async def server_metadata(self, _request: ServerMetadataRequest) -> ServerMetadataResponse:
        """Says who answers."""
        return ServerMetadataResponse(name="hondo", version=package_version("hondo"), extensions=self._extensions)

    async def model_metadata(self, request: ModelMetadataRequest) -> ModelMetadataResponse:
        """Describes a model's tensors."""
        model = named.find(self._catalog, request.name, request.version)
        graph = self._sequencing.of(model) or named.only_session(model)
        tensor = ModelMetadataResponse.TensorMetadata
        return ModelMetadataResponse(
            name=model.name,
            versions=[str(number) for number in reversed(self._catalog.versions(model.name))],
            platform=PLATFORM,
            inputs=[tensor(name=s.name, datatype=s.datatype.name, shape=s.wire_shape) for s in graph.inputs],
            outputs=[tensor(name=s.name, datatype=s.datatype.name, shape=s.wire_shape) for s in graph.outputs],
        )

    async def model_infer(self, request: ModelInferRequest) -> ModelInferResponse:
        """Runs a model. Outputs come typed where the inputs came typed, raw otherwise."""
        with named.find(self._catalog, request.model_name, request.model_version).used() as model:
            return await self._answer(request, model)

    async def _answer(self, request: ModelInferRequest, model: Model) -> ModelInferResponse:
        _check_parameters(request)
        sequences = self._sequencing.of(model)
        if sequences is not None:
            async with sequences.turn(request) as turn:
                graph = _Graph(sequences.inputs, sequences.outputs, sequences.reader, turn.run)
                return await self._infer(request, model, graph)
        session = named.only_session(model)
        _check_unrelated(request)
        graph = _Graph(session.inputs, session.outputs, model.reader(MODEL), model.batcher(MODEL).run)
        return await self._infer(request, model, graph)

    async def _infer(self, request: ModelInferRequest, model: Model, graph: "_Graph") -> ModelInferResponse:
        lent = Lent(request, self._regions)
        outputs = wanted_outputs(request, graph.outputs)
        with stage(Stage.DECODE):
            is_long = _is_long_to_read(request, graph.inputs, lent)
            feeds = await self._done(is_long, graph.reader.read, request, lent.inputs)
        arrays = await graph.run(
            feeds, outputs, priority=_priority(request.parameters), timeout_ms=_timeout_ms(request.parameters)
        )
        with stage(Stage.ENCODE):
            response = ModelInferResponse(model_name=model.name, model_version=str(model.version), id=request.id)
            typed = bool(request.inputs) and not request.raw_input_contents and not lent.inputs
            write = partial(write_outputs, response, arrays, graph.outputs, typed=typed, lent=lent.outputs)
            await self._done(_is_long_to_write(arrays), write)
        return response

    def model_stream_infer(
        self, requests: AsyncIterable[ModelInferRequest]
    ) -> AsyncGenerator[ModelStreamInferResponse]:
        """Runs a model for each request of a stream."""
        return self._streams.answers(requests)

    def stop(self) -> None:
        """Has every stream end when what was read of it is answered."""
        self._streams.stop()

    async def _outcome(self, request: ModelInferRequest) -> ModelStreamInferResponse:
        try:
            answer = await self.model_infer(request)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets its text and the log the rest
            text = self._refuse(error, "a request of ModelStreamInfer", request).text
            asked = ModelInferResponse(
                id=request.id, model_name=request.model_name, model_version=request.model_version
            )
            response = ModelStreamInferResponse(error_message=text, infer_response=asked)
        else:
            response = ModelStreamInferResponse(infer_response=answer)
        response.infer_response.parameters[_FINAL].bool_param = True
        return response

    async def _done(self, is_long: bool, function: Callable[..., T], *args: object) -> T:
        """Calls a function; off the event loop where it takes long."""
        if is_long:
            return await asyncio.get_running_loop().run_in_executor(self._workers, function, *args)
        return function(*args)


class _Graph(NamedTuple):
    """What requests see of a model's graph, and what runs it."""

    inputs: Sequence[Signature]
    outputs: Sequence[Signature]
    reader: Reader
    run: Callable[..., Awaitable[Tensors]]


def _is_long_to_read(request: ModelInferRequest, inputs: Sequence[Signature], lent: Lent) -> bool:
    """Raw numbers are read where they lie; typed contents and strings are taken apart, and shared memory is copied."""
    if lent.inputs and lent.input_bytes > _LONG_BYTES:
        return True
    one_by_one = not request.raw_input_contents or any(signature.datatype is BYTES for signature in inputs)
    return one_by_one and request.ByteSize() > _LONG_BYTES


def _is_long_to_write(arrays: Tensors) -> bool:
    return sum(array.nbytes for array in arrays.values()) > _LONG_BYTES


def _rows_of(request: ModelInferRequest) -> int:
    """Gives how many rows a request has, where its tensors' first axis counts them."""
    return max((tensor.shape[0] for tensor in request.inputs if tensor.shape), default=1)


def _check_parameters(request: ModelInferRequest) -> None:
    _refuse("parameters", request.parameters, _UNSUPPORTED, "is not supported by this server")
    for index, tensor in enumerate(request.inputs):
        _refuse(f"inputs[{index}].parameters", tensor.parameters, _UNSUPPORTED, "is not supported by this server")
    for index, output in enumerate(request.outputs):
        _refuse(f"outputs[{index}].parameters", output.parameters, _UNSUPPORTED, "is not supported by this server")


def _check_unrelated(request: ModelInferRequest) -> None:
    _refuse("parameters", request.parameters, _SEQUENCE, "came, but the model declares no state")


def _priority(parameters: Mapping[str, InferParameter]) -> Priority:
    """Triton's levels begin at 1, the most urgent; 0 and none are the default."""
    return Priority.HIGH if "priority" in parameters and _number(parameters["priority"]) == 1 else Priority.NORMAL


def _timeout_ms(parameters: Mapping[str, InferParameter]) -> float | None:
    """Triton's timeout is in microseconds; 0 and none leave it to the server."""
    return (_number(parameters["timeout"]) / 1000 if "timeout" in parameters else 0) or None


def _number(parameter: InferParameter) -> int:
    return parameter.uint64_param or max(0, parameter.int64_param)


def _refuse(field: str, parameters: Mapping[str, InferParameter], names: Sequence[str], why: str) -> None:
    for name in names if parameters else ():
        if name in parameters and _is_set(parameters[name]):
            raise InvalidRequest(f"{field}: {name!r} {why}")


def _is_set(parameter: InferParameter) -> bool:
    choice = parameter.WhichOneof("parameter_choice")
    return choice is not None and bool(getattr(parameter, choice))
