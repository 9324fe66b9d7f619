"""The scaling of pictures as one multiplication and one addition: beside 8-bit layers, three passes are a quarter."""

from typing import Any, Final

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto

_OPERATORS: Final = frozenset({"Mul", "Div", "Add", "Sub"})


def merge(model: onnx.ModelProto) -> onnx.ModelProto:
    """Gives the graph with each chain of scalings by constants in a Cast's wake made a * x + b.

    Constants that are the same for all channels become one number, which is computed several times as fast.
    """
    merged = onnx.ModelProto()
    merged.CopyFrom(model)
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in merged.graph.initializer}
    for cast in [node for node in merged.graph.node if node.op_type == "Cast"]:
        if len(chain := _chain(merged.graph, cast, constants)) > 2:
            _replace(merged.graph, cast.output[0], chain, constants)
    drop_unused(merged.graph)
    return merged


def drop_unused(graph: GraphProto) -> None:
    """Removes constants that no node takes, of which ONNX Runtime would warn at each load."""
    used = {name for node in graph.node for name in node.input}
    for constant in [each for each in graph.initializer if each.name not in used]:
        graph.initializer.remove(constant)


def _chain(graph: GraphProto, cast: NodeProto, constants: dict[str, NDArray[Any]]) -> list[NodeProto]:
    """Gives the nodes that follow, one after the other, each the only one to take what comes before."""
    chain: list[NodeProto] = []
    name = cast.output[0]
    while len(takers := [node for node in graph.node if name in node.input]) == 1:
        (node,) = takers
        if node.op_type not in _OPERATORS or node.input[0] != name or node.input[1] not in constants:
            break
        if constants[node.input[1]].dtype != np.float32:
            break
        chain.append(node)
        name = node.output[0]
    return chain


def _replace(graph: GraphProto, taken: str, chain: list[NodeProto], constants: dict[str, NDArray[Any]]) -> None:
    factor, shift = np.ones((), np.float64), np.zeros((), np.float64)
    for node in chain:
        constant = constants[node.input[1]].astype(np.float64)
        match node.op_type:
            case "Mul":
                factor, shift = factor * constant, shift * constant
            case "Div":
                factor, shift = factor / constant, shift / constant
            case "Add":
                shift = shift + constant
            case _:
                shift = shift - constant
    given = chain[-1].output[0]
    place = list(graph.node).index(chain[0])
    for node in chain:
        graph.node.remove(node)
    for name, value in (("factor", factor), ("shift", shift)):
        graph.initializer.append(onnx.numpy_helper.from_array(_narrow(value), f"{given}/{name}"))
    make = onnx.helper.make_node
    graph.node.insert(place, make("Mul", [taken, f"{given}/factor"], [f"{given}/scaled"], f"{given}/Mul"))
    graph.node.insert(place + 1, make("Add", [f"{given}/scaled", f"{given}/shift"], [given], f"{given}/Add"))


def _narrow(values: NDArray[Any]) -> NDArray[np.float32]:
    narrow = values.astype(np.float32)
    return narrow.reshape(-1)[0].reshape(()) if np.ptp(narrow) == 0 else narrow
