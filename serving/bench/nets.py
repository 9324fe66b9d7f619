"""Two well-known nets with random weights, as ONNX files of any precision: what a GPU is measured on.

ResNet-50 (He et al. 2015, table 1; the stride in the 3 x 3 convolutions, the normalisation of batches in the weights)
for pictures; and one step of a language model of two LSTM layers of 512 units over 65 characters. Random weights take
as long as trained ones.

Legend: N batch, C channels, H height, W width, K classes, U units.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hondo.errors import InvalidSettings

if TYPE_CHECKING:
    import onnx

# Blocks of each stage, and their inner channels.
_STAGES: Final = ((3, 64), (4, 128), (6, 256), (3, 512))
_EXPANSION: Final = 4
_SIDE_PX: Final = 224
_CLASSES: Final = 1000
_UNITS: Final = 512
_LAYERS: Final = 2
_CHARACTERS: Final = 65
_OPSET: Final = 20


class _Writer:
    """Collects nodes and weights."""

    def __init__(self, kind: np.dtype[Any]) -> None:
        import onnx

        self.kind = kind
        self.element = onnx.helper.np_dtype_to_tensor_dtype(kind)
        self._onnx = onnx
        self._random = np.random.default_rng(0)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Adds a node; gives the name of its first output, the others being that with a number."""
        name = f"{operator}_{len(self._nodes)}"
        names = [name, *(f"{name}_{number}" for number in range(1, outputs))]
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, names, name=name, **attributes))
        return name

    def weight(self, *shape: int) -> str:
        """Adds random weights, scaled by how many numbers they sum (He et al. 2015)."""
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else shape[0]
        return self.constant((self._random.standard_normal(shape) * np.sqrt(1 / fan_in)).astype(self.kind))

    def constant(self, array: "np.ndarray[Any, Any]") -> str:
        """Adds an array."""
        name = f"constant_{len(self._weights)}"
        self._weights.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def write(self, path: Path, inputs: "list[onnx.ValueInfoProto]", outputs: dict[str, "onnx.ValueInfoProto"]) -> None:
        """Writes the file; `outputs` says under which name each of the nodes' results is given."""
        helper = self._onnx.helper
        named = [helper.make_node("Identity", [made], [value.name]) for made, value in outputs.items()]
        graph = helper.make_graph([*self._nodes, *named], "net", inputs, list(outputs.values()), self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)
        path.parent.mkdir(parents=True)
        self._onnx.save(model, path)

    def value(self, name: str, shape: list[int | str], element: int | None = None) -> "onnx.ValueInfoProto":
        """Gives the description of an input or output."""
        return self._onnx.helper.make_tensor_value_info(name, element or self.element, shape)


def resnet50(path: Path, kind: np.dtype[Any]) -> None:
    """Writes image u8[N,224,224,3] -> probabilities [N,1000], computed in `kind`."""
    import onnx

    net = _Writer(kind)

    def convolved(x: str, filters: int, channels: int, side: int, stride: int = 1) -> str:
        pads = [side // 2] * 4
        weights, bias = net.weight(filters, channels, side, side), net.weight(filters)
        return net.node("Conv", x, weights, bias, pads=pads, strides=[stride, stride], kernel_shape=[side, side])

    x = net.node("Cast", net.node("Transpose", "image", perm=[0, 3, 1, 2]), to=net.element)
    x = net.node("Mul", x, net.constant(np.array(1 / 255, kind)))
    x = net.node("Relu", convolved(x, 64, 3, 7, 2))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (blocks, inner) in enumerate(_STAGES):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = net.node("Relu", convolved(x, inner, channels, 1))
            y = net.node("Relu", convolved(y, inner, inner, 3, stride))
            y = convolved(y, inner * _EXPANSION, inner, 1)
            if not block:
                x = convolved(x, inner * _EXPANSION, channels, 1, stride)
            channels = inner * _EXPANSION
            x = net.node("Relu", net.node("Add", x, y))
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    x = net.node("Gemm", x, net.weight(_CLASSES, channels), net.weight(_CLASSES), transB=1)
    image = net.value("image", ["batch", _SIDE_PX, _SIDE_PX, 3], onnx.TensorProto.UINT8)
    net.write(path, [image], {net.node("Softmax", x): net.value("probabilities", ["batch", _CLASSES])})


def lstm(path: Path, kind: np.dtype[Any]) -> None:
    """Writes token i64[N], h0 c0 h1 c1 [N,512] -> log_probability [N,65] and the next of each, computed in `kind`."""
    import onnx

    net = _Writer(kind)
    x = net.node("Gather", net.weight(_CHARACTERS, _UNITS), "token")
    outputs = {}
    for layer in range(_LAYERS):
        both = net.node("Concat", x, f"h{layer}", axis=1)
        gates = net.node("Gemm", both, net.weight(4 * _UNITS, 2 * _UNITS), net.weight(4 * _UNITS), transB=1)
        split = net.node("Split", gates, outputs=4, axis=1, num_outputs=4)
        forget, enter, leave = (net.node("Sigmoid", each) for each in (split, f"{split}_1", f"{split}_2"))
        fresh = net.node("Mul", enter, net.node("Tanh", f"{split}_3"))
        cell = net.node("Add", net.node("Mul", forget, f"c{layer}"), fresh)
        x = net.node("Mul", leave, net.node("Tanh", cell))
        outputs[x] = net.value(f"next_h{layer}", ["batch", _UNITS])
        outputs[cell] = net.value(f"next_c{layer}", ["batch", _UNITS])
    x = net.node("Gemm", x, net.weight(_CHARACTERS, _UNITS), net.weight(_CHARACTERS), transB=1)
    outputs[net.node("LogSoftmax", x)] = net.value("log_probability", ["batch", _CHARACTERS])
    states = [net.value(f"{part}{layer}", ["batch", _UNITS]) for layer in range(_LAYERS) for part in "hc"]
    net.write(path, [net.value("token", ["batch"], onnx.TensorProto.INT64), *states], outputs)


_NETS: Final[dict[str, Callable[[Path, np.dtype[Any]], None]]] = {"resnet50": resnet50, "lstm": lstm}
NAMES: Final = tuple(_NETS)
PRECISIONS: Final[dict[str, np.dtype[Any]]] = {"fp32": np.dtype(np.float32), "fp16": np.dtype(np.float16)}


def write(models: Path, net: str, precision: str) -> Path:
    """Writes one of the nets as the only version of a model named for both; gives the file.

    Raises:
        InvalidSettings: the package onnx is not installed.
    """
    path = models / f"{net}-{precision}" / "1" / "model.onnx"
    try:
        _NETS[net](path, PRECISIONS[precision])
    except ModuleNotFoundError as error:
        raise InvalidSettings(f"making the nets needs the package onnx ({error}): pip install onnx") from error
    return path
