"""Tensors on the wire of the Open Inference Protocol: checked field by field on the way in, packed on the way out."""

import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from hondo.artifact import Tensors
from hondo.errors import InvalidRequest
from protos.inference_pb2 import InferTensorContents, ModelInferRequest, ModelInferResponse
from serving.runtime.datatypes import BYTES, Datatype
from serving.runtime.session import Signature, in_words

InferInput = ModelInferRequest.InferInputTensor


class Source(Protocol):
    """Where raw contents lie."""

    def read(self) -> bytes:
        """Gives them."""


class Target(Protocol):
    """Where raw contents go."""

    def write(self, data: bytes) -> None:
        """Puts them there."""


# No message carries more than 2 GiB. Empty tensors are held to it too, side by side, or a few bytes could claim a shape
# that numpy cannot make and that a graph, summing along the empty side, fills with memory.
_MAX_ELEMENTS: Final = 2**31

_LENGTH: Final = struct.Struct("<I")  # before each element of a raw BYTES tensor


class Reader:
    """Reads the tensors of requests for one graph: what its signatures say is worked out once, not for each request."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        self._signatures = signatures
        self._expected = {signature.name: (signature, signature.wire_shape) for signature in signatures}
        symbols = Counter(side for signature in signatures for side in signature.shape if isinstance(side, str))
        self._has_ties = any(count > 1 for count in symbols.values())

    def read(self, request: ModelInferRequest, lent: Mapping[int, Source] = MappingProxyType({})) -> Tensors:
        """Gives the request's tensors as arrays, by name.

        Args:
            request: what came.
            lent: by the input's place in the request, what reads the raw contents that lie elsewhere.

        Raises:
            InvalidRequest: a name, datatype, shape or content does not fit the signatures; the text names the field.
        """
        raw = request.raw_input_contents
        inputs = request.inputs
        if raw and len(raw) != len(inputs) - len(lent):
            raise InvalidRequest(f"raw_input_contents has {len(raw)} entries for {len(inputs) - len(lent)} inputs")
        came = iter(raw)
        arrays: Tensors = {}
        for index, tensor in enumerate(inputs):
            name = tensor.name
            if name not in self._expected or name in arrays:
                raise InvalidRequest(f"{_field(index, tensor)}: {self._why_unexpected(name)}")
            try:
                contents = lent[index].read() if index in lent else next(came, None)
                arrays[name] = _read(tensor, *self._expected[name], contents)
            except InvalidRequest as error:
                raise InvalidRequest(f"{_field(index, tensor)}: {error}") from error
        if len(arrays) < len(self._expected):
            missing = ", ".join(repr(name) for name in self._expected if name not in arrays)
            raise InvalidRequest(f"inputs: {missing} missing; the model takes {in_words(self._signatures)}")
        if self._has_ties:
            _check_ties(arrays, self._signatures)
        return arrays

    def _why_unexpected(self, name: str) -> str:
        if name in self._expected:
            return "came twice"
        return f"no such input; the model takes {in_words(self._signatures)}"


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
    response: ModelInferResponse,
    arrays: Tensors,
    signatures: Sequence[Signature],
    *,
    typed: bool,
    lent: Mapping[str, Target] = MappingProxyType({}),
) -> None:
    """Adds arrays to a response, in their order.

    Args:
        response: gets `outputs`, and `raw_output_contents` unless the contents are typed.
        arrays: by output name.
        signatures: the graph's outputs.
        typed: use typed contents, if all the arrays' datatypes have such.
        lent: by name, what writes the raw contents that go elsewhere; the response has empty ones for them.
    """
    datatypes = {signature.name: signature.datatype for signature in signatures}
    typed = typed and all(datatypes[name].contents for name in arrays)
    for name, array in arrays.items():
        datatype = datatypes[name]
        output = response.outputs.add(name=name, datatype=datatype.name, shape=array.shape)
        if name in lent:
            lent[name].write(pack(array, datatype))
            if not typed:
                response.raw_output_contents.append(b"")
        elif typed:
            _contents(output.contents, datatype).extend(_elements(array, datatype))
        else:
            response.raw_output_contents.append(pack(array, datatype))


def _field(index: int, tensor: InferInput) -> str:
    return f"inputs[{index}] {tensor.name[:100]!r}"


def _check_shape(shape: tuple[int, ...], expected: Sequence[int]) -> None:
    fits = len(shape) == len(expected) and all(
        side >= 0 and want in {-1, side} for side, want in zip(shape, expected, strict=True)
    )
    if not fits:
        raise InvalidRequest(f"shape {list(shape[:20])} came, {expected} expected (-1 stands for any size)")
    if math.prod(side or 1 for side in shape) > _MAX_ELEMENTS:
        raise InvalidRequest(f"shape {list(shape)} came, which is more than {_MAX_ELEMENTS:,} elements")
    if shape and shape[0] == 0 and expected[0] == -1:
        raise InvalidRequest(f"shape {list(shape)} has no rows, at least one expected")


def _check_ties(arrays: Tensors, signatures: Sequence[Signature]) -> None:
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


def _read(tensor: InferInput, signature: Signature, expected: Sequence[int], raw: bytes | None) -> NDArray[np.generic]:
    datatype = signature.datatype
    if tensor.datatype != datatype.name:
        raise InvalidRequest(f"datatype {tensor.datatype[:20]!r} came, {datatype.name!r} expected")
    shape = tuple(tensor.shape)
    _check_shape(shape, expected)
    count = math.prod(shape)
    if raw is None:
        return _read_contents(tensor.contents, datatype, count).reshape(shape)
    if tensor.HasField("contents"):
        raise InvalidRequest("has both contents and raw_input_contents, expected one of them")
    return _unpack(raw, datatype, count).reshape(shape)


def _unpack(raw: bytes, datatype: Datatype, count: int) -> NDArray[np.generic]:
    if datatype is BYTES:
        return _strings(list(split(raw)), count)
    expected = count * datatype.wire.itemsize
    if len(raw) != expected:
        raise InvalidRequest(f"{len(raw)} bytes came, its shape and datatype make {expected}")
    if datatype.name == "BOOL":
        return np.frombuffer(raw, np.uint8).astype(np.bool_)
    return np.frombuffer(raw, datatype.wire)


def split(raw: bytes) -> Iterator[bytes]:
    """Goes through the elements of a raw BYTES tensor: each four bytes of length, then so many bytes."""
    position = 0
    while position < len(raw):
        start = position + _LENGTH.size
        end = start + _LENGTH.unpack_from(raw, position)[0] if start <= len(raw) else start
        if end > len(raw):
            raise InvalidRequest(f"the raw BYTES end in the middle of an element ({len(raw)} bytes in all)")
        yield raw[start:end]
        position = end


def _strings(elements: Sequence[bytes], count: int) -> NDArray[np.generic]:
    if len(elements) != count:
        raise InvalidRequest(f"{len(elements)} elements came, its shape makes {count}")
    try:
        return np.array([element.decode() for element in elements], dtype=np.object_)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"BYTES must be UTF-8 text, as ONNX strings are: {error}") from error


def _read_contents(contents: InferTensorContents, datatype: Datatype, count: int) -> NDArray[np.generic]:
    filled = [descriptor.name for descriptor, _ in contents.ListFields()]
    if datatype.contents is None:
        raise InvalidRequest(f"{datatype.name} has no typed contents: use raw_input_contents")
    if filled not in ([], [datatype.contents]):
        raise InvalidRequest(f"{' and '.join(filled)} came, {datatype.name} expects {datatype.contents}")
    elements = getattr(contents, datatype.contents)
    if datatype is BYTES:
        return _strings(elements, count)
    if len(elements) != count:
        raise InvalidRequest(f"{len(elements)} elements came, its shape makes {count}")
    wide = np.array(elements, dtype=_wide(datatype))
    array = wide.astype(datatype.numpy)
    if datatype.numpy.kind in "iu" and not np.array_equal(array, wide):
        raise InvalidRequest(f"an element of {datatype.contents} is out of {datatype.name}'s range")
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


def pack(array: NDArray[np.generic], datatype: Datatype) -> bytes:
    """Gives an array as the raw contents of a tensor: little-endian and row-major."""
    if datatype is BYTES:
        encoded = [_encoded(element) for element in array.ravel()]
        return b"".join(part for element in encoded for part in (_LENGTH.pack(len(element)), element))
    return array.astype(datatype.wire, copy=False).tobytes()


def _encoded(element: object) -> bytes:
    assert isinstance(element, str), "onnxruntime gives strings as str"
    return element.encode()
