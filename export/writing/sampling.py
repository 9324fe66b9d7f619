"""The choice of a token, as nodes of a graph: `TextGeneration` of the manifest says by which rule.

Legend: N batch, V tokens of the vocabulary, R of them that are ranked.
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
    # bool[N,R]: which ranks are among the `top_k`.
    among_k: str
    # f32[N,1].
    top_p: str


def controls(nodes: Nodes, most: int) -> Controls:
    """Adds what the inputs of "step" mean for each row, where the choice is among so many at most."""
    column = nodes.whole(1)
    temperature_N1 = nodes.one("Unsqueeze", signature.TEMPERATURE, column)
    # The most probable token each time is the choice among one.
    greedy_N1 = nodes.one("LessOrEqual", temperature_N1, nodes.real(0))
    top_k_N1 = nodes.one("Unsqueeze", signature.TOP_K, column)
    all_N1 = nodes.one("LessOrEqual", top_k_N1, nodes.whole(0))
    count_N1 = nodes.one("Where", all_N1, nodes.whole(most), top_k_N1)
    count_N1 = nodes.one("Where", greedy_N1, nodes.whole(1), count_N1)
    ranks_1R = nodes.weights("ranks", np.arange(most, dtype=np.int64)[np.newaxis])
    return Controls(
        temperature=nodes.one("Where", greedy_N1, nodes.real(1), temperature_N1),
        among_k=nodes.one("Less", ranks_1R, count_N1),
        top_p=nodes.one("Unsqueeze", signature.TOP_P, column),
    )


@dataclass(frozen=True, slots=True)
class Ranked:
    """The most probable tokens of each row, the most probable first: names of values in the graph."""

    # f32[N,R] and i64[N,R].
    log_probability: str
    token: str


def rank(nodes: Nodes, logits_NV: str, most: int) -> Ranked:
    """Adds what finds the R = `most` most probable tokens by logits_NV f32."""
    everything = nodes.one("LogSoftmax", logits_NV, axis=1)
    # Of equals, the one with the lower id comes first.
    return Ranked(*nodes.several("TopK", 2, everything, nodes.whole(most), axis=1))


def choose(nodes: Nodes, ranked: Ranked, uniform_N1: str, how: Controls) -> tuple[str, str]:
    """Adds a choice.

    Args:
        nodes: of the graph.
        ranked: what is chosen from.
        uniform_N1: f32, 0 <= u < 1.
        how: the settings of the rows.

    Returns:
        token_N1 i64 and log_probability_N1 f32 of it, by the logits alone.
    """
    scaled_NR = nodes.one("Div", ranked.log_probability, how.temperature)
    kept_NR = nodes.one("Where", how.among_k, scaled_NR, nodes.real(-np.inf))
    share_NR = nodes.one("Softmax", kept_NR, axis=1)
    end_NR = nodes.one("CumSum", share_NR, nodes.scalar(1))
    begin_NR = nodes.one("Sub", end_NR, share_NR)
    among_p = nodes.one("Less", begin_NR, how.top_p)
    total_N1 = nodes.one("ReduceMax", nodes.one("Where", among_p, end_NR, nodes.real(0)), nodes.whole(1), keepdims=1)
    # The place is that of the first whose end is not below u: whatever is rounded, one of those that are left.
    below_NR = nodes.one("Less", end_NR, nodes.one("Mul", uniform_N1, total_N1))
    counted_NR = nodes.one("Cast", below_NR, to=onnx.TensorProto.INT64)
    place_N1 = nodes.one("ReduceSum", counted_NR, nodes.whole(1), keepdims=1)
    token_N1 = nodes.one("GatherElements", ranked.token, place_N1, axis=1)
    return token_N1, nodes.one("GatherElements", ranked.log_probability, place_N1, axis=1)
