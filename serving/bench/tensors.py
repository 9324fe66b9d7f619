"""Tensors for a model that only its metadata is known of, and the ModelInfer requests that carry them."""

from collections.abc import Mapping, Sequence
from typing import Final

import grpc
import numpy as np
from numpy.typing import NDArray

from hondo.artifact import Tensors
from hondo.errors import InvalidRequest
from protos.inference_pb2 import ModelInferRequest, ModelMetadataRequest, ModelMetadataResponse
from protos.rpc import INFERENCE, unary
from serving.bench.questions import Questions, raised
from serving.runtime.datatypes import BF16, BY_NAME, BYTES, Datatype
from serving.runtime.tensors import pack

METHOD: Final = f"/{INFERENCE.full_name}/ModelInfer"
# Different requests, so that no cache answers for the model.
_BODIES: Final = 8
_WHOLE_RANGE: Final = {"UINT8": (0, 255), "INT8": (-128, 127)}
_METADATA_TIMEOUT_S: Final = 10.0

TensorMetadata = ModelMetadataResponse.TensorMetadata
Shape = tuple[int, ...]


def questions(
    server: str, model: str, *, rows: int | None = None, shapes: Mapping[str, Sequence[int]], seed: int = 0
) -> Questions:
    """Makes requests for any server of the Open Inference Protocol, from what it says of the model.

    Args:
        server: its HOST:PORT.
        model: the model's name.
        rows: how many rows each request has, where the model leaves it free; 1 unless given here or by a shape.
        shapes: the whole shape of inputs, by name; needed where more than the first dimension is free.
        seed: the same seed gives the same requests.

    Raises:
        InvalidRequest: the shapes do not fit, or are not enough.
        HondoError: the server does not describe the model.
    """
    inputs = _metadata(server, model).inputs
    if not inputs:
        raise InvalidRequest(f"{server} names no inputs of model {model!r}: no request can be made for it")
    strange = set(shapes) - {tensor.name for tensor in inputs}
    if strange:
        raise InvalidRequest(f"--shape: model {model!r} has no input {', '.join(sorted(strange))}")
    full = {tensor.name: shape_of(tensor, shapes.get(tensor.name), rows) for tensor in inputs}
    free = all(tensor.shape and tensor.shape[0] < 0 for tensor in inputs)
    counts = {shape[0] for shape in full.values()} if free else {1}
    if rows is not None and not free:
        raise InvalidRequest(f"--rows: model {model!r} takes requests of one size only")
    random = np.random.default_rng(seed)
    feeds = tuple(
        {tensor.name: generate(_datatype(tensor), full[tensor.name], random) for tensor in inputs}
        for _ in range(_BODIES)
    )
    return Questions(
        method=METHOD,
        bodies=tuple(request(model, inputs, feed).SerializeToString() for feed in feeds),
        rows=max(counts),
        feeds=feeds,
        batches=free and len(counts) == 1,
    )


def shape_of(tensor: TensorMetadata, given: Sequence[int] | None, rows: int | None) -> Shape:
    """Gives the shape to send of an input.

    Raises:
        InvalidRequest: the given shape does not fit what the server says, or none is given and more than the first
            dimension is free.
    """
    wanted = list(tensor.shape)
    if given is None:
        if any(side < 0 for side in wanted[1:]):
            example = ",".join(str(side) if side > 0 else "N" for side in wanted)
            raise InvalidRequest(
                f"input {tensor.name!r} has shape {wanted}, whose free dimensions (-1) only you can size: "
                f"--shape {tensor.name}={example}"
            )
        given = [rows or 1 if side < 0 else side for side in wanted]
    if len(given) != len(wanted) or any(want not in {-1, side} for side, want in zip(given, wanted, strict=True)):
        raise InvalidRequest(f"--shape {tensor.name}={','.join(map(str, given))} does not fit the model's {wanted}")
    if rows is not None and given and wanted[0] < 0 and given[0] != rows:
        raise InvalidRequest(f"--shape {tensor.name} begins with {given[0]}, but --rows is {rows}")
    return tuple(given)


def generate(datatype: Datatype, shape: Shape, random: np.random.Generator) -> NDArray[np.generic]:
    """Makes an array of a datatype.

    Floats are standard normal; 8-bit integers, which are pixels, have their whole range; wider ones are 0 or 1, which
    every table has; strings are small numbers.
    """
    if datatype is BYTES:
        return random.integers(0, 10, shape).astype(str).astype(np.object_)
    if datatype is BF16:  # the upper half of a float's bits
        bits = (random.standard_normal(shape, np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return np.asarray(bits)
    if datatype.numpy.kind == "f":
        return np.asarray(random.standard_normal(shape, np.float32), dtype=datatype.numpy)
    low, high = _WHOLE_RANGE.get(datatype.name, (0, 1))
    return np.asarray(random.integers(low, high, shape, endpoint=True)).astype(datatype.numpy)


def request(model: str, inputs: Sequence[TensorMetadata], feed: Tensors) -> ModelInferRequest:
    """Gives the request that carries arrays, raw, to a model."""
    tensor = ModelInferRequest.InferInputTensor
    return ModelInferRequest(
        model_name=model,
        inputs=[tensor(name=i.name, datatype=i.datatype, shape=feed[i.name].shape) for i in inputs],
        raw_input_contents=[pack(feed[i.name], _datatype(i)) for i in inputs],
    )


def _metadata(server: str, model: str) -> ModelMetadataResponse:
    with grpc.insecure_channel(server) as channel:
        ask = unary(channel, INFERENCE, "ModelMetadata", ModelMetadataResponse)
        try:
            return ask(ModelMetadataRequest(name=model), timeout=_METADATA_TIMEOUT_S)
        except grpc.RpcError as error:
            raise raised(error, server) from error


def _datatype(tensor: TensorMetadata) -> Datatype:
    if tensor.datatype not in BY_NAME:
        raise InvalidRequest(f"input {tensor.name!r} is of datatype {tensor.datatype!r}, which Hondo does not know")
    return BY_NAME[tensor.datatype]
