"""Answers: whether what a server says, alone or under load, is what the graph says.

Legend: N pictures, K classes, H height, W width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo import maps
from hondo.errors import ServerError
from protos.hondo_pb2 import ClassifyResponse, DetectEdgesResponse, EdgeFormat
from protos.inference_pb2 import ModelInferResponse
from serving.bench import pictures
from serving.contract.detector import EDGES
from serving.runtime.datatypes import BF16, BY_NAME, BYTES, Datatype
from serving.runtime.tensors import split

# Room for the order of sums, which differs with the size of a batch; as a share of the largest number.
_TOLERANCE: Final = 1e-3
_TOLERANCE_OF_HALVES: Final = 2e-2
# A map comes in steps of 1/255, and what lies just between two may go to either.
_STEPS: Final = 255
_STEPS_APART: Final = 1.25


@dataclass(frozen=True, slots=True)
class Output:
    """What one output says."""

    shape: tuple[int, ...]
    # f64 of `shape`; strings are in `texts`.
    numbers: NDArray[np.float64]
    texts: tuple[bytes, ...]
    tolerance: float

    def agrees(self, other: "Output") -> bool:
        """Says whether another says the same, but for rounding."""
        scale = float(np.max(np.abs(self.numbers), initial=0.0))
        return (
            self.shape == other.shape
            and self.texts == other.texts
            and np.allclose(self.numbers, other.numbers, rtol=0, atol=self.tolerance * scale, equal_nan=True)
        )


Outputs = dict[str, Output]


def same(method: str, one: bytes, other: bytes) -> bool:
    """Says whether two answers of a method to one request mean the same, but for rounding."""
    if one == other:
        return True
    match method:
        case pictures.CLASSIFY:
            return _agree(_classified(one), _classified(other))
        case pictures.DETECT_EDGES:
            return _same_maps(_maps(one), _maps(other))
        case _:
            return _agree(_inferred(one), _inferred(other))


def check_against_graph(method: str, answer: bytes, computed: Outputs) -> None:
    """Compares an answer with what ONNX Runtime computes from the same inputs.

    Raises:
        ServerError: they differ.
    """
    match method:
        case pictures.CLASSIFY:
            right = _likeliest(ClassifyResponse.FromString(answer), next(iter(computed.values())).numbers)
        case pictures.DETECT_EDGES:
            right = _same_maps(_maps(answer), [map_HW * _STEPS for map_HW in computed[EDGES].numbers])
        case _:
            right = _agree(_inferred(answer), computed)
    if not right:
        raise ServerError("the server's answer is not what ONNX Runtime computes: does it serve another file?")


def output(array: NDArray[np.generic], datatype: Datatype) -> Output:
    """Gives what an array of a datatype, as ONNX Runtime gives it, says."""
    if datatype is BYTES:
        return Output(array.shape, np.empty(0), tuple(str(text).encode() for text in array.ravel()), 0)
    if datatype is BF16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    halves = datatype is BF16 or datatype.name == "FP16"
    return Output(array.shape, array.astype(np.float64), (), _TOLERANCE_OF_HALVES if halves else _TOLERANCE)


def _agree(ones: Outputs, others: Outputs) -> bool:
    return ones.keys() == others.keys() and all(ones[name].agrees(others[name]) for name in ones)


def _inferred(answer: bytes) -> Outputs:
    """Reads a ModelInferResponse, whose contents are raw or typed."""
    response = ModelInferResponse.FromString(answer)
    raw = response.raw_output_contents
    return {
        tensor.name: _raw_output(tensor, raw[index]) if raw else _typed_output(tensor)
        for index, tensor in enumerate(response.outputs)
    }


def _raw_output(tensor: ModelInferResponse.InferOutputTensor, raw: bytes) -> Output:
    datatype, shape = BY_NAME[tensor.datatype], tuple(tensor.shape)
    if datatype is BYTES:
        return Output(shape, np.empty(0), tuple(split(raw)), 0)
    return output(np.frombuffer(raw, datatype.wire).reshape(shape), datatype)


def _typed_output(tensor: ModelInferResponse.InferOutputTensor) -> Output:
    datatype, shape = BY_NAME[tensor.datatype], tuple(tensor.shape)
    elements = getattr(tensor.contents, datatype.contents or "")
    if datatype is BYTES:
        return Output(shape, np.empty(0), tuple(elements), 0)
    return output(np.array(elements, datatype.numpy).reshape(shape), datatype)


def _classified(answer: bytes) -> Outputs:
    """Reads a ClassifyResponse: the probabilities of the labels that it names, which near ties may put in any order."""
    results = ClassifyResponse.FromString(answer).results
    return {
        f"image {number}": output(np.array([label.probability for label in result.labels]), BY_NAME["FP64"])
        for number, result in enumerate(results)
    }


def _maps(answer: bytes) -> list[NDArray[np.float64]]:
    """Reads a DetectEdgesResponse: the map of each picture, counted in steps."""
    results = DetectEdgesResponse.FromString(answer).results
    decoded = [maps.decode(each.map, EdgeFormat.PNG_8, each.height, each.width) for each in results]
    return [_STEPS * map_HW.astype(np.float64) for map_HW in decoded]


def _same_maps(ones: Sequence[NDArray[np.float64]], others: Sequence[NDArray[np.float64]]) -> bool:
    return len(ones) == len(others) and all(
        one_HW.shape == other_HW.shape and np.abs(one_HW - other_HW).max() <= _STEPS_APART
        for one_HW, other_HW in zip(ones, others, strict=True)
    )


def _likeliest(response: ClassifyResponse, probabilities_NK: NDArray[np.float64]) -> bool:
    """Says whether the labels that an answer names have the probabilities that it says."""
    said = [(row, label.index, label.probability) for row, r in enumerate(response.results) for label in r.labels]
    return len(response.results) == len(probabilities_NK) and all(
        abs(probabilities_NK[row, index] - probability) <= _TOLERANCE for row, index, probability in said
    )
