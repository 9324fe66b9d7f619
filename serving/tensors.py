"""Tensors on the wire of the Open Inference Protocol: checked field by field on the way in, packed on the way out."""

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from hondo.artifact import Tensors
from hondo.errors import InvalidRequest
from protos.inference_pb2 import InferTensorContents, ModelInferRequest, ModelInferResponse
from serving.datatypes import BYTES, Datatype
from serving.session import Signature, in_words

InferInput = ModelInferRequest.InferInputTensor

# No message carries more than 2 GiB. Empty tensors are held to it too, side by side, or a few bytes could claim a shape
# that numpy cannot make and that a graph, summing along the empty side, fills with memory.
_MAX_ELEMENTS: Final = 2**31

_LENGTH: Final = struct.Struct("<I")  # before each element of a raw BYTES tensor


def read_inputs(request: ModelInferRequest, signatures: Sequence[Signature]) -> Tensors:
    """Gives the request's tensors as arrays, by name.

    Raises:
        InvalidRequest: a name, datatype, shape or content does not fit the signatures; the text names the field.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise InvalidRequest(f"raw_input_contents has {len(raw)} entries for {len(request.inputs)} inputs")
    expected = {signature.name: signature for signature in signatures}
    arrays: Tensors = {}
    for index, tensor in enumerate(request.inputs):
        field = f"inputs[{index}] {tensor.name[:100]!r}"
        if tensor.name not in expected:
            raise InvalidRequest(f"{field}: no such input; the model takes {in_words(signatures)}")
        if tensor.name in arrays:
            raise InvalidRequest(f"{field}: came twice")
        _check(field, tensor, expected[tensor.name])
        arrays[tensor.name] = _read(field, tensor, expected[tensor.name].datatype, raw[index] if raw else None)
    missing = [name for name in expected if name not in arrays]
    if missing:
        raise InvalidRequest(f"inputs: {', '.join(map(repr, missing))} missing; the model takes {in_words(signatures)}")
    _check_symbols(arrays, signatures)
    return arrays


def wanted_outputs(request: ModelInferRequest, signatures: Sequence[Signature]) -> list[str]:
    """Gives the names of the outputs that the request asks for: all, in the graph's order, where it names none.

    Raises:
        InvalidRequest: a name that the graph does not have, or one twice.
    """
    known = [signature.name for signature in signatures]
    wanted = [output.name for output in request.outputs]
    for index, name in enumerate(wanted):
        if name not in known:
            raise InvalidRequest(
                f"outputs[{index}] {name[:100]!r}: no such output; the model gives {in_words(signatures)}"
            )
        if name in wanted[:index]:
            raise InvalidRequest(f"outputs[{index}] {name!r}: came twice")
    return wanted or known


def write_outputs(
    response: ModelInferResponse, arrays: Tensors, signatures: Sequence[Signature], *, typed: bool
) -> None:
    """Adds arrays to a response, in their order.

    Args:
        response: gets `outputs`, and `raw_output_contents` unless the contents are typed.
        arrays: by output name.
        signatures: the graph's outputs.
        typed: use typed contents, if all the arrays' datatypes have such.
    """
    datatypes = {signature.name: signature.datatype for signature in signatures}
    typed = typed and all(datatypes[name].contents for name in arrays)
    for name, array in arrays.items():
        datatype = datatypes[name]
        output = response.outputs.add(name=name, datatype=datatype.name, shape=array.shape)
        if typed:
            _contents(output.contents, datatype).extend(_elements(array, datatype))
        else:
            response.raw_output_contents.append(_pack(array, datatype))


def _check(field: str, tensor: InferInput, signature: Signature) -> None:
    if tensor.datatype != signature.datatype.name:
        raise InvalidRequest(f"{field}: datatype {tensor.datatype[:20]!r} came, {signature.datatype.name!r} expected")
    shape, expected = list(tensor.shape), signature.wire_shape
    fits = len(shape) == len(expected) and all(
        side >= 0 and want in {-1, side} for side, want in zip(shape, expected, strict=True)
    )
    if not fits:
        raise InvalidRequest(f"{field}: shape {shape[:20]} came, {expected} expected (-1 stands for any size)")
    if math.prod(side or 1 for side in shape) > _MAX_ELEMENTS:
        raise InvalidRequest(f"{field}: shape {shape} came, which is more than {_MAX_ELEMENTS:,} elements")
    if shape and shape[0] == 0 and expected[0] == -1:
        raise InvalidRequest(f"{field}: shape {shape} has no rows, at least one expected")


def _check_symbols(arrays: Tensors, signatures: Sequence[Signature]) -> None:
    """Holds the dimensions that the graph gives one name to one size."""
    sizes: dict[str, tuple[int, str]] = {}
    for signature in signatures:
        for axis, side in enumerate(signature.shape):
            if not isinstance(side, str):
                continue
            size = arrays[signature.name].shape[axis]
            first, name = sizes.setdefault(side, (size, signature.name))
            if size != first:
                raise InvalidRequest(
                    f"inputs: {signature.name!r} has {size} in dimension {axis} ({side}), but {name!r} has {first}"
                )


def _read(field: str, tensor: InferInput, datatype: Datatype, raw: bytes | None) -> NDArray[np.generic]:
    count = math.prod(tensor.shape)
    if raw is not None:
        if tensor.HasField("contents"):
            raise InvalidRequest(f"{field}: has both contents and raw_input_contents, expected one of them")
        flat = _unpack(field, raw, datatype, count)
    else:
        flat = _read_contents(field, tensor.contents, datatype, count)
    return flat.reshape(tuple(tensor.shape))


def _unpack(field: str, raw: bytes, datatype: Datatype, count: int) -> NDArray[np.generic]:
    if datatype is BYTES:
        return _strings(field, list(_split(field, raw)), count)
    expected = count * datatype.numpy.itemsize
    if len(raw) != expected:
        raise InvalidRequest(f"{field}: {len(raw)} bytes came, its shape and datatype make {expected}")
    if datatype.name == "BOOL":
        return np.frombuffer(raw, np.uint8).astype(np.bool_)
    return np.frombuffer(raw, datatype.numpy.newbyteorder("<"))


def _split(field: str, raw: bytes) -> Iterator[bytes]:
    """Goes through the elements of a raw BYTES tensor: each four bytes of length, then so many bytes."""
    position = 0
    while position < len(raw):
        start = position + _LENGTH.size
        end = start + _LENGTH.unpack_from(raw, position)[0] if start <= len(raw) else start
        if end > len(raw):
            raise InvalidRequest(f"{field}: the raw BYTES end in the middle of an element ({len(raw)} bytes in all)")
        yield raw[start:end]
        position = end


def _strings(field: str, elements: Sequence[bytes], count: int) -> NDArray[np.generic]:
    if len(elements) != count:
        raise InvalidRequest(f"{field}: {len(elements)} elements came, its shape makes {count}")
    try:
        return np.array([element.decode() for element in elements], dtype=np.object_)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{field}: BYTES must be UTF-8 text, as ONNX strings are: {error}") from error


def _read_contents(field: str, contents: InferTensorContents, datatype: Datatype, count: int) -> NDArray[np.generic]:
    filled = [descriptor.name for descriptor, _ in contents.ListFields()]
    if datatype.contents is None:
        raise InvalidRequest(f"{field}: {datatype.name} has no typed contents: use raw_input_contents")
    if filled not in ([], [datatype.contents]):
        raise InvalidRequest(f"{field}: {' and '.join(filled)} came, {datatype.name} expects {datatype.contents}")
    elements = getattr(contents, datatype.contents)
    if datatype is BYTES:
        return _strings(field, elements, count)
    if len(elements) != count:
        raise InvalidRequest(f"{field}: {len(elements)} elements came, its shape makes {count}")
    wide = np.array(elements, dtype=_wide(datatype))
    array = wide.astype(datatype.numpy)
    if datatype.numpy.kind in "iu" and not np.array_equal(array, wide):
        raise InvalidRequest(f"{field}: an element of {datatype.contents} is out of {datatype.name}'s range")
    return array


def _wide(datatype: Datatype) -> np.dtype[np.generic]:
    """The type of the elements of the field that carries a datatype: narrow integers travel in 32 bits."""
    narrow: dict[str, np.dtype[np.generic]] = {"int_contents": np.dtype(np.int32), "uint_contents": np.dtype(np.uint32)}
    return narrow.get(datatype.contents or "", datatype.numpy)


def _contents(contents: Message, datatype: Datatype) -> "list[object]":
    field: list[object] = getattr(contents, datatype.contents or "")
    return field


def _elements(array: NDArray[np.generic], datatype: Datatype) -> list[object]:
    if datatype is BYTES:
        return [_encoded(element) for element in array.ravel()]
    elements: list[object] = array.ravel().tolist()
    return elements


def _pack(array: NDArray[np.generic], datatype: Datatype) -> bytes:
    if datatype is BYTES:
        encoded = [_encoded(element) for element in array.ravel()]
        return b"".join(part for element in encoded for part in (_LENGTH.pack(len(element)), element))
    return array.astype(datatype.numpy.newbyteorder("<"), copy=False).tobytes()


def _encoded(element: object) -> bytes:
    assert isinstance(element, str), "onnxruntime gives strings as str"
    return element.encode()
