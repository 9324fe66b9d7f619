"""The choice of a token, as nodes of a graph: `TextGeneration` of the manifest says by which rule.

Legend: N batch, V tokens of the vocabulary.
"""

from dataclasses import dataclass

import numpy as np
import onnx

from export.writing import signature
from export.writing.nodes import Nodes


@dataclass(frozen=True, slots=True)
class Controls:
    """A run's settings of the choice, brought into shape once for all of its steps: names of values in the graph."""

    # f32[N,1], above 0.
    temperature: str
    # bool[N,V]: which ranks are among the `top_k`.
    among_k: str
    # f32[N,1].
    top_p: str


def controls(nodes: Nodes, vocabulary: int) -> Controls:
    """Adds what the inputs of "step" mean for each row."""
    column = nodes.whole(1)
    temperature_N1 = nodes.one("Unsqueeze", signature.TEMPERATURE, column)
    # The most probable token each time is the choice among one.
    greedy_N1 = nodes.one("LessOrEqual", temperature_N1, nodes.real(0))
    top_k_N1 = nodes.one("Unsqueeze", signature.TOP_K, column)
    all_N1 = nodes.one("LessOrEqual", top_k_N1, nodes.whole(0))
    count_N1 = nodes.one("Where", all_N1, nodes.whole(vocabulary), top_k_N1)
    count_N1 = nodes.one("Where", greedy_N1, nodes.whole(1), count_N1)
    ranks_1V = nodes.weights("ranks", np.arange(vocabulary, dtype=np.int64)[np.newaxis])
    return Controls(
        temperature=nodes.one("Where", greedy_N1, nodes.real(1), temperature_N1),
        among_k=nodes.one("Less", ranks_1V, count_N1),
        top_p=nodes.one("Unsqueeze", signature.TOP_P, column),
    )


def choose(nodes: Nodes, logits_NV: str, uniform_N1: str, vocabulary: int, how: Controls) -> tuple[str, str]:
    """Adds a choice.

    Args:
        nodes: of the graph.
        logits_NV: f32.
        uniform_N1: f32, 0 <= u < 1.
        vocabulary: V.
        how: the settings of the rows.

    Returns:
        token_N1 i64 and log_probability_N1 f32 of it, by the logits alone.
    """
    everything = nodes.one("LogSoftmax", logits_NV, axis=1)
    # Of equals, the one with the lower id comes first.
    ranked_NV, id_NV = nodes.several("TopK", 2, everything, nodes.whole(vocabulary), axis=1)
    scaled_NV = nodes.one("Div", ranked_NV, how.temperature)
    kept_NV = nodes.one("Where", how.among_k, scaled_NV, nodes.real(-np.inf))
    share_NV = nodes.one("Softmax", kept_NV, axis=1)
    end_NV = nodes.one("CumSum", share_NV, nodes.scalar(1))
    begin_NV = nodes.one("Sub", end_NV, share_NV)
    among_p = nodes.one("Less", begin_NV, how.top_p)
    total_N1 = nodes.one("ReduceMax", nodes.one("Where", among_p, end_NV, nodes.real(0)), nodes.whole(1), keepdims=1)
    # The place is that of the first whose end is not below u: whatever is rounded, one of those that are left.
    below_NV = nodes.one("Less", end_NV, nodes.one("Mul", uniform_N1, total_N1))
    counted_NV = nodes.one("Cast", below_NV, to=onnx.TensorProto.INT64)
    place_N1 = nodes.one("ReduceSum", counted_NV, nodes.whole(1), keepdims=1)
    token_N1 = nodes.one("GatherElements", id_NV, place_N1, axis=1)
    return token_N1, nodes.one("GatherElements", ranked_NV, place_N1, axis=1)
