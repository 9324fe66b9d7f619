"""A batch axis of any length, in a file that was exported for one picture at a time."""

from typing import Final

import numpy as np
import onnx.numpy_helper
from onnx import GraphProto, ModelProto, TensorProto

from export.signature import BATCH

# In the shape that a Reshape takes: as long as the input's axis at that place.
_AS_BEFORE: Final = 0


def free(model: ModelProto) -> None:
    """Lets the first axis of the input be of any length, and of what is computed from it.

    Shapes that were noted down in between are forgotten, and a Reshape that makes the batch as long as it was exported
    keeps it as long as it is. Whether the graph then computes each row for itself, the gate tells.
    """
    graph = model.graph
    first = graph.input[0].type.tensor_type.shape.dim[0]
    exported = first.dim_value
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = BATCH
    del graph.value_info[:]
    if exported:
        _free_reshapes(graph, exported)


def _free_reshapes(graph: GraphProto, exported: int) -> None:
    constants = {weight.name: weight for weight in graph.initializer}
    constants |= {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    for node in graph.node:
        keeps_zero = any(attribute.name == "allowzero" and attribute.i for attribute in node.attribute)
        if node.op_type == "Reshape" and node.input[1] in constants and not keeps_zero:
            _free_first(constants[node.input[1]], exported)


def _free_first(constant: TensorProto, exported: int) -> None:
    shape = onnx.numpy_helper.to_array(constant).copy()
    if shape.ndim == 1 and len(shape) > 1 and shape[0] == exported:
        shape[0] = _AS_BEFORE
        constant.CopyFrom(onnx.numpy_helper.from_array(shape.astype(np.int64), constant.name))
