"""Rounded weights shift the averages of what layers give; their biases take that back.

Nagel, van Baalen, Blankevoort, Welling, "Data-free quantization through weight equalization and bias correction", 2019,
section 4.2, with the averages measured on calibration data as in its appendix D.

Legend: N batch, O outputs, I inputs (within a group), G groups, C channels.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnxruntime
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto

# Symmetric 8-bit numbers go from -127 to 127.
_STEPS: Final = 127
_BATCH: Final = 32


def correct(model: onnx.ModelProto, calibration: NDArray[Any]) -> onnx.ModelProto:
    """Gives the graph with the weights of its convolutions rounded to 8 bits, channel by channel, and biases to match.

    Args:
        model: in 32-bit floats.
        calibration: as the graph takes it.
    """
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    weights = {weight.name: weight for weight in rounded.graph.initializer}
    layers = [node for node in rounded.graph.node if _is_layer(node, weights)]
    if not layers:
        return rounded
    averages = _averages(model, sorted({layer.input[0] for layer in layers}), calibration)
    for layer in layers:
        _correct(layer, weights, averages[layer.input[0]])
    return rounded


def _is_layer(node: NodeProto, weights: dict[str, TensorProto]) -> bool:
    return node.op_type == "Conv" and len(node.input) == 3 and set(node.input[1:]) <= set(weights)


def _correct(layer: NodeProto, weights: dict[str, TensorProto], average_C: NDArray[np.float32]) -> None:
    exact = onnx.numpy_helper.to_array(weights[layer.input[1]])
    rounded = _round(exact)
    groups = _attribute(layer, "group", 1)
    # What the rounding took off each weight, all places of the kernel together.
    lost_GOI = (exact - rounded).reshape(groups, -1, exact.shape[1], int(np.prod(exact.shape[2:]))).sum(axis=3)
    shift_O = np.einsum("goi,gi->go", lost_GOI, average_C.reshape(groups, -1)).reshape(-1)
    bias_O = onnx.numpy_helper.to_array(weights[layer.input[2]]) + shift_O
    weights[layer.input[1]].CopyFrom(onnx.numpy_helper.from_array(rounded, layer.input[1]))
    weights[layer.input[2]].CopyFrom(onnx.numpy_helper.from_array(bias_O.astype(np.float32), layer.input[2]))


def _round(weight: NDArray[Any]) -> NDArray[np.float32]:
    inner = tuple(range(1, weight.ndim))
    step = np.abs(weight).max(axis=inner, keepdims=True) / _STEPS
    step[step == 0] = 1
    rounded: NDArray[np.float32] = (np.round(weight / step) * step).astype(np.float32)
    return rounded


def _attribute(node: NodeProto, name: str, default: int) -> int:
    attributes: Iterator[AttributeProto] = (each for each in node.attribute if each.name == name)
    return next((each.i for each in attributes), default)


def _averages(model: onnx.ModelProto, names: list[str], calibration: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """Gives the average of each tensor [N,C,...] over all but its channels."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    for name in names:
        # Whatever follows the channels becomes one axis, so that maps and sequences are averaged alike.
        probe.graph.node.append(onnx.helper.make_node("Shape", [name], [f"{name}/shape"], end=2))
        probe.graph.node.append(onnx.helper.make_node("Concat", [f"{name}/shape", "/rest"], [f"{name}/flat"], axis=0))
        probe.graph.node.append(onnx.helper.make_node("Reshape", [name, f"{name}/flat"], [f"{name}/NCx"]))
        probe.graph.node.append(
            onnx.helper.make_node("ReduceMean", [f"{name}/NCx", "/axes"], [f"{name}/average"], keepdims=0)
        )
        probe.graph.output.append(onnx.helper.make_tensor_value_info(f"{name}/average", TensorProto.FLOAT, None))
    probe.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1]), "/rest"))
    probe.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 2]), "/axes"))
    return _run(probe, names, calibration)


def _run(probe: onnx.ModelProto, names: list[str], calibration: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0].name
    # Batches of one size, so that the mean of their means is the mean.
    whole = calibration[: max(len(calibration) // _BATCH, 1) * _BATCH]
    wanted = [f"{name}/average" for name in names]
    starts = range(0, len(whole), _BATCH)
    runs = [session.run(wanted, {taken: whole[start : start + _BATCH]}) for start in starts]
    return {name: np.mean([run[place] for run in runs], axis=0) for place, name in enumerate(names)}
