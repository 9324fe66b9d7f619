"""Refusals in Triton's words: the codes and texts that its clients' and users' test suites look for.

Hondo's own texts say more. Where --status-codes triton asks for Triton's, a request that was refused is looked at once
more, in the order in which Triton checks it (InferenceRequest::Normalize and what comes before and after it).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from google.protobuf.message import Message
from grpc import StatusCode

from hondo.artifact import MODEL
from hondo.errors import (
    AlreadyExists,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    UnknownRegion,
    UnknownSequence,
)
from protos.inference_pb2 import ModelInferRequest
from protos.triton_pb2 import SystemSharedMemoryRegisterRequest
from serving.catalog.catalog import Catalog
from serving.catalog.model import Model
from serving.refusal import Refusal
from serving.runtime.datatypes import BYTES
from serving.runtime.session import Signature
from serving.telemetry import course

_Words = tuple[StatusCode, str]
_BATCH_NOTE: Final = (
    "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each "
    "input shape. If you want to specify the full shape including the batch dim in your input dims config, try setting "
    "max_batch_size to zero. See the model configuration docs for more info on max_batch_size."
)


class TritonWords:
    """Says of errors what Triton says."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def refuse(self, error: Exception, what: str, message: Message | None) -> Refusal:
        """Tells an error; in Hondo's own words where Triton has none for it."""
        refusal = Refusal.of(error, what)
        words = self._words(error, message)
        if words is None:
            return refusal
        course.refused(words[0])
        return replace(refusal, code=words[0], text=words[1])

    def _words(self, error: Exception, message: Message | None) -> _Words | None:
        name, version = _named(message)
        words: _Words | None = None
        match error:
            case ModelNotFound():
                words = _unknown_model(name, version, is_there=bool(self._catalog.versions(name)))
            case UnknownRegion():
                kind = "" if isinstance(message, ModelInferRequest) else "system "
                words = StatusCode.NOT_FOUND, f"Unable to find {kind}shared memory region: '{error.region}'"
            case UnknownSequence():
                words = StatusCode.INVALID_ARGUMENT, _unknown_sequence(name, error.sequence)
            case AlreadyExists():
                words = StatusCode.ALREADY_EXISTS, f"shared memory region '{name}' already in manager"
            case Overloaded():
                words = StatusCode.UNAVAILABLE, f"{_request(message)}Exceeds maximum queue size"
            case DeadlineExceeded():
                words = StatusCode.UNAVAILABLE, f"{_request(message)}Request timeout expired"
            case InvalidRequest() if isinstance(message, SystemSharedMemoryRegisterRequest):
                text = f"failed to register shared memory region '{name}': invalid args"
                words = StatusCode.INVALID_ARGUMENT, text
            case InvalidRequest() if isinstance(message, ModelInferRequest):
                words = self._of_tensors(message)
            case InvalidRequest() if not name:
                words = _unknown_model(name, version, is_there=False)
            case _:
                pass
        return words

    def _of_tensors(self, request: ModelInferRequest) -> _Words | None:
        versions = self._catalog.versions(request.model_name)
        if not versions:
            return _unknown_model(request.model_name, request.model_version, is_there=False)
        model = self._catalog.find(request.model_name, int(request.model_version or 0))
        if list(model.sessions) != [MODEL]:
            return None
        text = next(_faults(request, model), None)
        return None if text is None else (StatusCode.INVALID_ARGUMENT, text)


def _named(message: Message | None) -> tuple[str, str]:
    """Gives the model, or the region, and the version that a message names; empty where it names none."""
    of = "model_" if isinstance(message, ModelInferRequest) else ""
    return getattr(message, f"{of}name", ""), getattr(message, f"{of}version", "")


def _unknown_model(name: str, version: str, *, is_there: bool) -> _Words:
    if version:
        try:
            number = int(version)
        except ValueError:
            specified = f"failed to get model version from specified version string '{version}' (details: stol)"
            return StatusCode.INVALID_ARGUMENT, f"{specified}, version should be an integral value > 0"
        if number < 0:
            text = f"invalid model version specified '{version}' , version should be an integral value > 0"
            return StatusCode.INVALID_ARGUMENT, text
    missing = f"'{name}' version {version}" if is_there and version else f"'{name}'"
    return StatusCode.NOT_FOUND, f"Request for unknown model: {missing} is not found"


def _unknown_sequence(model: str, sequence: str) -> str:
    if not sequence:
        return f"inference request to model '{model}' must specify a non-zero or non-empty correlation ID"
    must = "must specify the START flag on the first request of the sequence"
    return f"inference request for sequence {sequence} to model '{model}' {must}"


def _request(message: Message | None) -> str:
    return f"[request id: {getattr(message, 'id', '') or '<id_unknown>'}] "


def _faults(request: ModelInferRequest, model: Model) -> Iterator[str]:
    """Goes through what Triton would find wrong with a request's tensors."""
    session = model.sessions[MODEL]
    expected = {signature.name: signature for signature in session.inputs}
    outputs = {signature.name for signature in session.outputs}
    names = [tensor.name for tensor in request.inputs]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f"input '{name}' already exists in request"
    for output in request.outputs:
        if output.name not in outputs:
            yield f"unexpected inference output '{output.name}' for model '{model.name}'"
    prefix = _request(request)
    if len(names) != len(expected):
        got = ",".join(f"'{name}'" for name in sorted(names))
        missing = ",".join(f"'{name}'" for name in expected if name not in names)
        yield (
            f"{prefix}expected {len(expected)} inputs but got {len(names)} inputs for model '{model.name}'. "
            f"Got inputs [{got}], but missing required inputs [{missing}]. Please provide all required inputs."
        )
    for name in names:
        if name not in expected:
            yield f"unexpected inference input '{name}' for model '{model.name}'"
    for text in _shape_faults(request, model, expected):
        yield f"{prefix}{text}"


def _shape_faults(request: ModelInferRequest, model: Model, expected: dict[str, Signature]) -> Iterator[str]:
    has_batch = model.plans[MODEL].sizes is not None
    if has_batch:
        yield from _batch_faults(request, model)
    for tensor in request.inputs:
        signature = expected[tensor.name]
        if tensor.datatype != signature.datatype.name:
            yield (
                f"inference input '{tensor.name}' data-type is '{tensor.datatype}', but model '{model.name}' "
                f"expects '{signature.datatype.name}'"
            )
        if not _fits(tensor.shape, signature.wire_shape):
            yield (
                f"unexpected shape for input '{tensor.name}' for model '{model.name}'. Expected "
                f"{_dims(signature.wire_shape)}, got {_dims(tensor.shape)}. {_BATCH_NOTE if has_batch else ''}"
            )
    yield from _size_faults(request, model, expected)


def _batch_faults(request: ModelInferRequest, model: Model) -> Iterator[str]:
    for tensor in request.inputs:
        if not tensor.shape:
            yield f"input '{tensor.name}' has no shape but model requires batch dimension for '{model.name}'"
        elif tensor.shape[0] != request.inputs[0].shape[0]:
            yield f"input '{tensor.name}' batch size does not match other inputs for '{model.name}'"


def _size_faults(request: ModelInferRequest, model: Model, expected: dict[str, Signature]) -> Iterator[str]:
    if len(request.raw_input_contents) != len(request.inputs):
        return
    for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
        size = expected[tensor.name].datatype.wire.itemsize
        for side in tensor.shape:
            size *= side
        if expected[tensor.name].datatype is not BYTES and size != len(raw):
            wrong = f"input byte size mismatch for input '{tensor.name}' for model '{model.name}'"
            yield f"{wrong}. Expected {size}, got {len(raw)}"


def _fits(shape: Sequence[int], expected: Sequence[int]) -> bool:
    return len(shape) == len(expected) and all(e in (-1, s) for s, e in zip(shape, expected, strict=True))


def _dims(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"
