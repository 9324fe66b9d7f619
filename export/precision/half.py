"""Graphs in 16-bit floats: only their weights, or their arithmetic too."""

from typing import Final

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
from onnx import TensorProto
from onnxruntime.transformers import float16
from onnxruntime.transformers.onnx_model import OnnxModel

from hondo.errors import InvalidRequest

# Smaller ones save next to nothing, and the first layers of small nets are what rounding changes most.
_SMALLEST: Final = 16384
_LARGEST: Final = float(np.finfo(np.float16).max)


def store(model: onnx.ModelProto) -> onnx.ModelProto:
    """Gives the graph with its weights in 16 bits, each brought back to 32 by a Cast that is computed once, at load.

    Raises:
        InvalidRequest: a weight is beyond what 16 bits hold.
    """
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    casts = []
    for weights in halved.graph.initializer:
        if weights.data_type == TensorProto.FLOAT and np.prod(weights.dims) >= _SMALLEST:
            name = weights.name
            weights.CopyFrom(onnx.numpy_helper.from_array(_halve(weights), f"{name}/fp16"))
            casts.append(onnx.helper.make_node("Cast", [weights.name], [name], f"{name}/cast", to=TensorProto.FLOAT))
    nodes = [*casts, *halved.graph.node]
    del halved.graph.node[:]
    halved.graph.node.extend(nodes)
    return halved


def _halve(weights: TensorProto) -> "np.typing.NDArray[np.float16]":
    array = onnx.numpy_helper.to_array(weights)
    largest = float(np.abs(array).max())
    if not largest <= _LARGEST:
        raise InvalidRequest(
            f"weight {weights.name!r} has a value of {largest:g}, but 16 bits hold at most {_LARGEST:g}: keep fp32"
        )
    return array.astype(np.float16)


def compute(model: onnx.ModelProto) -> onnx.ModelProto:
    """Gives the graph with all arithmetic in 16 bits but the softmax's, which needs the range.

    It takes and gives the same.

    Raises:
        InvalidRequest: a weight is beyond what 16 bits hold.
    """
    for weights in model.graph.initializer:
        if weights.data_type == TensorProto.FLOAT and weights.dims:
            _halve(weights)
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    blocked = [*float16.DEFAULT_OP_BLOCK_LIST, "Softmax"]
    halved = OnnxModel(float16.convert_float_to_float16(copied, keep_io_types=True, op_block_list=blocked))
    # The casts were put at the end.
    halved.topological_sort()
    model_f16: onnx.ModelProto = halved.model
    return model_f16
