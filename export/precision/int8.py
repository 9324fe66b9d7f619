"""Graphs in 8-bit integers: signed weights with a scale for each channel, unsigned activations with one a tensor.

ONNX Runtime's kernels for that pair are the fast ones on processors with AVX512-VNNI; with signed activations it falls
back to slower ones. The form is QDQ: pairs of QuantizeLinear and DequantizeLinear, which it fuses with their layers.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.precision import bias, scaling

# What computes in 8 bits. Activation functions vanish into the rounding that follows them.
_OPERATORS: Final = ("Conv", "Gemm", "MatMul", "Add", "Relu", "Clip", "MaxPool", "GlobalAveragePool")
_BATCH: Final = 16


def quantise(model: onnx.ModelProto, calibration: NDArray[Any]) -> onnx.ModelProto:
    """Gives the graph in 8-bit integers; it takes and gives the same.

    Args:
        model: in 32-bit floats, with one input.
        calibration: what the ranges of the activations are measured on (the smallest and the largest value of a
            batch, on average), as the graph takes it.
    """
    with TemporaryDirectory(prefix="hondo-int8-") as folder, _quiet():
        full, plain, lowered = (Path(folder) / f"{name}.onnx" for name in ("full", "plain", "int8"))
        onnx.save(scaling.merge(model), full)
        quant_pre_process(full, plain, skip_symbolic_shape=True)
        onnx.save(bias.correct(onnx.load(plain), calibration), plain)
        quantize_static(
            plain,
            lowered,
            _Reader(model.graph.input[0].name, calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_OPERATORS),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # The mean of the batches' extremes is nearer to what most examples need than the extreme of all.
            extra_options={"CalibMovingAverage": True},
        )
        quantised = onnx.load(lowered)
    _free_logits(quantised)
    return quantised


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Hands out calibration data in batches."""

    def __init__(self, name: str, calibration: NDArray[Any]) -> None:
        self._name = name
        self._batches = iter(np.split(calibration, range(_BATCH, len(calibration), _BATCH)))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Gives the next batch; None behind the last."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def _free_logits(model: onnx.ModelProto) -> None:
    """Lets the softmax have the last layer's sums as they are: 256 steps would be too coarse for probabilities."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    for softmax in [node for node in model.graph.node if node.op_type == "Softmax"]:
        back = made_by.get(softmax.input[0])
        if back is not None and back.op_type == "DequantizeLinear" and back.input[0] in made_by:
            there = made_by[back.input[0]]
            softmax.input[0] = there.input[0]
            for node in (there, back):
                model.graph.node.remove(node)
    scaling.drop_unused(model.graph)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what onnxruntime's quantiser says on every run and nobody can act on."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
