"""An ONNX graph in the making, node by node."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
from numpy.typing import NDArray

from export.convert import OPSET
from serving.runtime.session import Signature

_IR_VERSION: Final = 10


class Nodes:
    """Nodes, each named by its kind and its number, and the constants that they use."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def weights(self, name: str, array: NDArray[Any]) -> str:
        """Adds weights under their name; the same name means the same weights."""
        self._constants[name] = array
        return name

    def whole(self, *numbers: int) -> str:
        """Gives the constant i64 of some numbers, a vector."""
        return self.weights(f"i64_{'_'.join(map(str, numbers))}", np.array(numbers, np.int64))

    def scalar(self, number: int) -> str:
        """Gives the constant i64 of a number, a scalar."""
        return self.weights(f"i64_scalar_{number}", np.array(number, np.int64))

    def real(self, number: float) -> str:
        """Gives the constant f32 of a number, a scalar."""
        return self.weights(f"f32_{number:g}", np.array(number, np.float32))

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output; gives its name."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Adds a node with several outputs; gives their names."""
        name = f"{kind}_{len(self._nodes)}"
        outputs = [name] if count == 1 else [f"{name}_{number}" for number in range(count)]
        self._nodes.append(onnx.helper.make_node(kind, inputs, outputs, name, **attributes))
        return outputs

    def output(self, name: str, value: str) -> None:
        """Makes a value an output of the graph."""
        self._nodes.append(onnx.helper.make_node("Identity", [value], [name], name))

    def model(
        self, role: str, takes: Sequence[Signature], gives: Sequence[Signature], facts: Mapping[str, str]
    ) -> onnx.ModelProto:
        """Gives the finished model, with facts in its metadata."""
        constants = [onnx.numpy_helper.from_array(array, name) for name, array in self._constants.items()]
        graph = onnx.helper.make_graph(self._nodes, role, _infos(takes), _infos(gives), constants)
        opsets = [onnx.helper.make_opsetid("", OPSET)]
        model = onnx.helper.make_model(graph, producer_name="hondo", opset_imports=opsets, ir_version=_IR_VERSION)
        onnx.helper.set_model_props(model, dict(facts))
        return model


def _infos(signatures: Sequence[Signature]) -> list[onnx.ValueInfoProto]:
    types = [onnx.helper.np_dtype_to_tensor_dtype(each.datatype.numpy) for each in signatures]
    return [
        onnx.helper.make_tensor_value_info(each.name, kind, each.shape)
        for each, kind in zip(signatures, types, strict=True)
    ]
