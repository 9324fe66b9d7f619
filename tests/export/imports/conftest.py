"""A tiny classifier of pictures as somebody else might have exported it, to files of many kinds.

Legend: N batch, C channels, H height, W width, K classes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import pytest
from onnx import ModelProto, TensorProto
from onnx.numpy_helper import from_array

LABELS = ("left", "middle", "right")
HEIGHT, WIDTH = 6, 9

Write = Callable[[ModelProto], Path]


def thirds(*, batch: int | str = 1, channels: int = 3, opset: int = 17, norm: bool = False) -> ModelProto:
    """Gives sums f32[N,3] of numbers f32[N,C,6,9]: how bright each third is, seen through a convolution.

    Args:
        batch: how many pictures it takes.
        channels: C; each weighs otherwise, so that their order matters.
        opset: version of the operators.
        norm: whether a batch norm follows the convolution.
    """
    make = onnx.helper.make_node
    weights = np.zeros((2, channels, 3, 3), np.float32)
    weights[0, :, 1, 1] = np.linspace(1, 0.2, channels)
    weights[1] = 0.01
    constants = [
        from_array(weights, "weights"),
        from_array(np.zeros(2, np.float32), "bias"),
        from_array(np.array([batch if isinstance(batch, int) else -1, 2 * HEIGHT * WIDTH]), "flat"),
        from_array(_sums(), "sums"),
    ]
    nodes = [make("Conv", ["pixels", "weights", "bias"], ["maps"], "conv", pads=[1, 1, 1, 1])]
    if norm:
        values = {"scale": (2, 1), "shift": (0.5, 0), "average": (0.1, 0), "variance": (4, 1)}
        constants += [from_array(np.array(value, np.float32), name) for name, value in values.items()]
        nodes.append(make("BatchNormalization", ["maps", *values], ["normed"], "norm"))
    nodes += [
        make("Relu", ["normed" if norm else "maps"], ["bright"], "relu"),
        make("Reshape", ["bright", "flat"], ["row"], "reshape"),
        make("MatMul", ["row", "sums"], ["logits"], "matmul"),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "thirds",
        [onnx.helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, channels, HEIGHT, WIDTH])],
        [onnx.helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, len(LABELS)])],
        constants,
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


def _sums() -> np.ndarray:
    weights = np.zeros((2, HEIGHT, WIDTH, len(LABELS)), np.float32)
    for label in range(len(LABELS)):
        weights[:, :, 3 * label : 3 * label + 3, label] = 1 / (HEIGHT * 3)
    return weights.reshape(-1, len(LABELS))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a model to a file."""

    def to_file(model: ModelProto) -> Path:
        onnx.save(model, tmp_path / "own.onnx")
        return tmp_path / "own.onnx"

    return to_file


@pytest.fixture
def labels_file(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(LABELS) + "\n", "utf-8")
    return path
