"""A recurrent net's layers as nodes: a whole text by ONNX's own operators, or one step by its arithmetic.

Both use the same weights, in the order in which ONNX has the gates, so that two graphs can share one file of them.

Legend: N batch, T tokens, H units of a layer, G gates, D values that come in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from export.writing.nodes import Nodes
from training.models.recurrent import Cell, Recurrent

# Where torch has the gates that ONNX expects: LSTM input, output, forget, cell of torch's i, f, g, o; GRU update,
# reset, hidden of torch's r, z, n.
_GATES: Final[dict[Cell, tuple[int, ...]]] = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
_OPERATOR: Final[dict[Cell, str]] = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


@dataclass(frozen=True, slots=True)
class Weights:
    """Names of a layer's weights among a graph's constants."""

    # f32[G*H,D].
    inward: str
    # f32[G*H,H].
    recurrent: str
    # f32[G*H] each.
    inward_bias: str
    recurrent_bias: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a net, its weights in a graph."""

    cell: Cell
    width: int
    weights: Weights


def layers(nodes: Nodes, net: Recurrent) -> list[Layer]:
    """Puts the weights of a net's layers into a graph."""
    return [add(nodes, net.cell, f"layer{n}", _tensors(layer)) for n, layer in enumerate(net.layers)]


def _tensors(layer: nn.Module) -> Sequence[Tensor]:
    assert isinstance(layer, nn.RNNBase)
    tensors: Sequence[Tensor] = layer.all_weights[0]
    return tensors


def add(nodes: Nodes, cell: Cell, name: str, tensors: Sequence[Tensor]) -> Layer:
    """Puts a layer's weights into a graph.

    Args:
        nodes: of the graph.
        cell: which kind the layer is.
        name: before the weights' names.
        tensors: weights and biases as torch has them: those of what comes in, then those of the state.
    """
    parts = [ordered(tensor.detach().numpy(), cell) for tensor in tensors]
    kinds = ("inward", "recurrent", "inward_bias", "recurrent_bias")
    weights = Weights(*(nodes.weights(f"{name}.{kind}", part) for kind, part in zip(kinds, parts, strict=True)))
    return Layer(cell, parts[1].shape[1], weights)


def ordered(array: NDArray[Any], cell: Cell) -> NDArray[Any]:
    """Brings torch's gates, along the first axis, into the order of ONNX."""
    gates = np.split(array, len(_GATES[cell]))
    return np.concatenate([gates[place] for place in _GATES[cell]])


def read(nodes: Nodes, layer: Layer, inputs_TND: str, length_N: str, before: Sequence[str]) -> tuple[str, list[str]]:
    """Adds a layer that reads rows of several lengths.

    Args:
        nodes: of the graph.
        layer: whose weights.
        inputs_TND: f32.
        length_N: i32, at least 1.
        before: the state, f32[1,N,H] each.

    Returns:
        outputs_TNH and the state after each row's last, f32[1,N,H] each.
    """
    front = nodes.whole(0)
    weights = [nodes.one("Unsqueeze", each, front) for each in (layer.weights.inward, layer.weights.recurrent)]
    bias = nodes.one("Concat", layer.weights.inward_bias, layer.weights.recurrent_bias, axis=0)
    inputs = (inputs_TND, *weights, nodes.one("Unsqueeze", bias, front), length_N, *before)
    # torch's GRU resets what the weights have made of the state.
    more = {"linear_before_reset": 1} if layer.cell == "gru" else {}
    outputs, *after = nodes.several(_OPERATOR[layer.cell], 1 + len(before), *inputs, hidden_size=layer.width, **more)
    return nodes.one("Squeeze", outputs, nodes.whole(1)), after


def table(nodes: Nodes, layer: Layer, vectors_VD: str) -> str:
    """Adds what the first layer makes of each token, f32[V,G*H]: constant, so the session computes it once."""
    return nodes.one("Gemm", vectors_VD, layer.weights.inward, _input_bias(nodes, layer), transB=1)


def inward(nodes: Nodes, layer: Layer, inputs_ND: str) -> str:
    """Adds what a layer makes of its inputs, f32[N,G*H]."""
    return nodes.one("Gemm", inputs_ND, layer.weights.inward, _input_bias(nodes, layer), transB=1)


def _input_bias(nodes: Nodes, layer: Layer) -> str:
    """Gives the bias that is added to what comes in: both, where nothing stands between them."""
    if layer.cell == "gru":
        return layer.weights.inward_bias
    return nodes.one("Add", layer.weights.inward_bias, layer.weights.recurrent_bias)


def step(nodes: Nodes, layer: Layer, inward_NG: str, before: Sequence[str]) -> list[str]:
    """Adds one step of a layer.

    Args:
        nodes: of the graph.
        layer: whose weights.
        inward_NG: what it makes of its inputs, f32[N,G*H].
        before: the state, f32[N,H] each.

    Returns:
        The state after it, f32[N,H] each; the first is the output too.
    """
    match layer.cell:
        case "rnn":
            return [nodes.one("Tanh", _recur(nodes, layer, before[0], inward_NG))]
        case "gru":
            return [_gru(nodes, layer, inward_NG, before[0])]
        case "lstm":
            return _lstm(nodes, layer, _recur(nodes, layer, before[0], inward_NG), before[1])
        case _:
            assert_never(layer.cell)


def _recur(nodes: Nodes, layer: Layer, hidden_NH: str, added: str) -> str:
    return nodes.one("Gemm", hidden_NH, layer.weights.recurrent, added, transB=1)


def _lstm(nodes: Nodes, layer: Layer, gates_NG: str, cell_NH: str) -> list[str]:
    width = layer.width
    three, candidate_NH = nodes.several("Split", 2, gates_NG, nodes.whole(3 * width, width), axis=1)
    opened = nodes.one("Sigmoid", three)
    input_NH, output_NH, forget_NH = nodes.several("Split", 3, opened, nodes.whole(width, width, width), axis=1)
    kept_NH = nodes.one("Mul", forget_NH, cell_NH)
    new_NH = nodes.one("Mul", input_NH, nodes.one("Tanh", candidate_NH))
    after_NH = nodes.one("Add", kept_NH, new_NH)
    return [nodes.one("Mul", output_NH, nodes.one("Tanh", after_NH)), after_NH]


def _gru(nodes: Nodes, layer: Layer, inward_NG: str, hidden_NH: str) -> str:
    width = layer.width
    recurrent_NG = _recur(nodes, layer, hidden_NH, layer.weights.recurrent_bias)
    parts = nodes.whole(2 * width, width)
    two_in, new_in_NH = nodes.several("Split", 2, inward_NG, parts, axis=1)
    two_again, new_again_NH = nodes.several("Split", 2, recurrent_NG, parts, axis=1)
    opened = nodes.one("Sigmoid", nodes.one("Add", two_in, two_again))
    update_NH, reset_NH = nodes.several("Split", 2, opened, nodes.whole(width, width), axis=1)
    new_NH = nodes.one("Tanh", nodes.one("Add", new_in_NH, nodes.one("Mul", reset_NH, new_again_NH)))
    # h' = (1 - z) n + z h.
    return nodes.one("Add", new_NH, nodes.one("Mul", update_NH, nodes.one("Sub", hidden_NH, new_NH)))
