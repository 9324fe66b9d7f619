"""Tiny ONNX graphs, each written by a few lines of onnx.helper: what the tests serve."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# The ONNX element type behind each datatype of the Open Inference Protocol.
ELEMENT_TYPES: Final = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}

Shape = Sequence[int | str | None]


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    **constants: NDArray[np.generic],
) -> Path:
    """Writes a graph that the ONNX checker accepts; makes the folders above it."""
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def tensor(name: str, datatype: str, shape: Shape) -> onnx.ValueInfoProto:
    """Gives the description of a graph's input or output, its datatype by the protocol's name."""
    return helper.make_tensor_value_info(name, ELEMENT_TYPES[datatype], shape)


def same(path: Path, datatype: str, shape: Shape) -> Path:
    """Writes y = x."""
    node = helper.make_node("Identity", ["x"], ["y"])
    return save(path, [node], [tensor("x", datatype, shape)], [tensor("y", datatype, shape)])


def join(path: Path) -> Path:
    """Writes two outputs of two inputs: text = name + number as text (BYTES), double = number + number."""
    nodes = [
        helper.make_node("Cast", ["number"], ["digits"], to=TensorProto.STRING),
        helper.make_node("StringConcat", ["name", "digits"], ["text"]),
        helper.make_node("Add", ["number", "number"], ["double"]),
    ]
    inputs = [tensor("name", "BYTES", ["batch", 2]), tensor("number", "INT64", ["batch", 2])]
    outputs = [tensor("text", "BYTES", ["batch", 2]), tensor("double", "INT64", ["batch", 2])]
    return save(path, nodes, inputs, outputs)


def add(path: Path) -> Path:
    """Writes sum = a + b for a FP32[n,m] and b FP32[n,m], whose sizes only the names of the axes tie together."""
    inputs = [tensor("a", "FP32", ["n", "m"]), tensor("b", "FP32", ["n", "m"])]
    return save(path, [helper.make_node("Add", ["a", "b"], ["sum"])], inputs, [tensor("sum", "FP32", ["n", "m"])])


def fragile(path: Path) -> Path:
    """Writes a graph that takes any FP32[n] by its signature, but fails at run time unless n is 6."""
    node = helper.make_node("Reshape", ["x", "shape"], ["y"], name="a_name_from_within")
    shape = np.array([2, 3], np.int64)
    return save(path, [node], [tensor("x", "FP32", ["n"])], [tensor("y", "FP32", [2, 3])], shape=shape)


def pick(path: Path) -> Path:
    """Writes y = (10, 11, 12)[index], which ONNX Runtime refuses at run time for an index beyond the three."""
    node = helper.make_node("Gather", ["table", "index"], ["y"])
    table = np.array([10, 11, 12], np.int64)
    return save(path, [node], [tensor("index", "INT64", ["n"])], [tensor("y", "INT64", ["n"])], table=table)


def slow(path: Path) -> Path:
    """Writes a loop that multiplies matrices `steps` times, so that the caller chooses how long it runs; y is steps."""
    nodes, constants = loop()
    nodes += [
        helper.make_node("Cast", ["least"], ["least_int"], to=TensorProto.INT64),
        helper.make_node("Add", ["count", "least_int"], ["y"]),
    ]
    return save(path, nodes, [tensor("steps", "INT64", [])], [tensor("y", "INT64", [])], **constants)


def slow_classifier(path: Path) -> Path:
    """Writes values f32[N,1] -> probabilities f32[N,2]; a run takes as many steps of that loop as its largest value."""
    looping, constants = loop()
    nodes = [
        helper.make_node("ReduceMax", ["values"], ["largest"], keepdims=0),
        helper.make_node("Cast", ["largest"], ["steps"], to=TensorProto.INT64),
        *looping,
        helper.make_node("Mul", ["values", "least"], ["zeros"]),
        helper.make_node("Concat", ["zeros", "zeros"], ["logits"], axis=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    inputs, outputs = [tensor("values", "FP32", ["batch", 1])], [tensor("probabilities", "FP32", ["batch", 2])]
    return save(path, nodes, inputs, outputs, **constants)


def loop() -> tuple[list[onnx.NodeProto], dict[str, NDArray[np.generic]]]:
    """Gives nodes and constants that make `count`, which is `steps`, and `least`, which is 0.0, in so many steps."""
    side = 256
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["matrix_in", "eye"], ["matrix_out"]),
            helper.make_node("Add", ["count_in", "count_1"], ["count_out"]),
            helper.make_node("Identity", ["go_in"], ["go_out"]),
        ],
        "body",
        [
            tensor("i", "INT64", []),
            tensor("go_in", "BOOL", []),
            tensor("matrix_in", "FP32", [side, side]),
            tensor("count_in", "INT64", []),
        ],
        [tensor("go_out", "BOOL", []), tensor("matrix_out", "FP32", [side, side]), tensor("count_out", "INT64", [])],
    )
    nodes = [
        helper.make_node("Loop", ["steps", "", "matrix", "count_0"], ["last", "count"], body=body),
        helper.make_node("ReduceMin", ["last"], ["least"], keepdims=0),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "matrix": np.eye(side, dtype=np.float32),
        "eye": np.eye(side, dtype=np.float32),
        "count_0": np.array(0, np.int64),
        "count_1": np.array(1, np.int64),
    }
    return nodes, constants


def linear_classifier(path: Path, weights: NDArray[np.float32], side: int, only_batch: int | None = None) -> Path:
    """Writes image u8[N,side,side,1] -> probabilities f32[N,K] = softmax(pixels @ weights).

    Where `only_batch` is given, a Reshape within makes it fail at every other batch.
    """
    shape = np.array([only_batch or -1, weights.shape[1]], np.int64)
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["pixels"], ["row"], axis=1),
        helper.make_node("MatMul", ["row", "weights"], ["product"]),
        helper.make_node("Reshape", ["product", "shape"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    inputs = [tensor("image", "UINT8", ["batch", side, side, 1])]
    outputs = [tensor("probabilities", "FP32", ["batch", weights.shape[1]])]
    return save(path, nodes, inputs, outputs, weights=weights, shape=shape)


def bag_of_words(path: Path, weights: NDArray[np.float32], length: int | str) -> Path:
    """Writes tokens i64[N,length] -> probabilities f32[N,K] = softmax of the sum of the words' rows of f32[V,K]."""
    nodes = [
        helper.make_node("Gather", ["weights", "tokens"], ["said"]),
        helper.make_node("ReduceSum", ["said", "places"], ["logits"], keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    inputs = [tensor("tokens", "INT64", ["batch", length])]
    outputs = [tensor("probabilities", "FP32", ["batch", weights.shape[1]])]
    return save(path, nodes, inputs, outputs, weights=weights, places=np.array([1], np.int64))


def table_classifier(path: Path, weights: NDArray[np.float32], batch: int | str = "batch") -> Path:
    """Writes values f32[N,F] -> probabilities f32[N,K] = softmax(values @ weights)."""
    nodes = [
        helper.make_node("MatMul", ["values", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    inputs = [tensor("values", "FP32", [batch, weights.shape[0]])]
    outputs = [tensor("probabilities", "FP32", [batch, weights.shape[1]])]
    return save(path, nodes, inputs, outputs, weights=weights)


def square_edges(path: Path, side: int) -> Path:
    """Writes an edge detector that takes any picture by its signature, but fails at run time at other sides."""
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["numbers", "shape"], ["edges"]),
    ]
    inputs, outputs = [tensor("image", "UINT8", ["n", "h", "w", 1])], [tensor("edges", "FP32", ["n", "h", "w"])]
    return save(path, nodes, inputs, outputs, shape=np.array([1, side, side], np.int64))
