"""The graphs "encode" and "step" of a net that makes captions: `Captioning` of the manifest says what they compute.

"encode" is traced. "step" is drawn node by node, as that of nets that write is, and chooses by the same nodes.

Legend: N batch, P places, C channels, D features of a place, A units of the attention, E dimensions of a word's vector,
H units and G*H gates of the recurrent layer, V words of the vocabulary, R of them that are ranked.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from torch import Tensor, nn

from export.captions import signature
from export.writing import layers, sampling
from export.writing.nodes import Nodes
from export.writing.signature import LOG_PROBABILITY, NEXT_TOKEN, TOKEN, UNIFORM
from hondo.artifact import STEP
from protos.manifest_pb2 import Captioning
from training.models.captioner import Captioner

# Added to the logits of what may not be said: finite in 16 bits too.
_NEVER: Final = -1e4


class EncodeGraph(nn.Module):
    """From pictures to what is known of them before the first word, in evaluation mode.

    Args:
        front: image u8[N,H,W,C] to what `sight` takes.
        sight: gives maps f32[N,P,C].
        net: what says.
    """

    def __init__(self, front: nn.Module, sight: nn.Module, net: Captioner) -> None:
        super().__init__()
        self.front = front
        self.sight = sight
        self.net = net
        self.eval()

    def forward(self, image_NHWC: Tensor) -> tuple[Tensor, ...]:
        """Gives features f32[N,P,D] and keys f32[N,P,A], where the net attends, and the state's parts f32[N,H]."""
        features_NPD, keys_NPA, state = self.net.see(self.sight(self.front(image_NHWC)))
        return (features_NPD, keys_NPA, *state) if self.net.attends else state


def step(net: Captioner, task: Captioning, facts: Mapping[str, str]) -> onnx.ModelProto:
    """Gives the graph that says a word."""
    nodes = Nodes()
    states = signature.states(net)
    vectors_VE = nodes.weights("vectors", net.vectors.weight.detach().numpy())
    vectors_NE = nodes.one("Gather", vectors_VE, TOKEN, axis=0)
    layer = layers.add(nodes, net.cell, "layer", _of_words(net))
    inward_NG = nodes.one("Gather", layers.table(nodes, layer, vectors_VE), TOKEN, axis=0)
    looked_ND = ""
    if net.attends:
        looked_ND = _look(nodes, net, states[0])
        of_looked_GD = layers.ordered(net.layer.weight_ih[:, net.vectors.embedding_dim :].detach().numpy(), net.cell)
        weights_GD = nodes.weights("layer.looked", of_looked_GD)
        inward_NG = nodes.one("Gemm", looked_ND, weights_GD, inward_NG, transB=1)
    after = layers.step(nodes, layer, inward_NG, states)
    deep_NE = nodes.one("Tanh", nodes.one("Add", vectors_NE, _deep(nodes, net, after[0], looked_ND)))
    output_VE = vectors_VE if net.tied else nodes.weights("output", net.output.weight.detach().numpy())
    _choose(nodes, net, task, deep_NE, output_VE)
    for name, part in zip(signature.next_states(net), after, strict=True):
        nodes.output(name, part)
    return nodes.model(STEP, signature.takes(STEP, net, task), signature.gives(STEP, net, task), facts)


def _of_words(net: Captioner) -> list[Tensor]:
    """Gives the layer's weights, of what comes in only those of the words' vectors."""
    layer = net.layer
    return [layer.weight_ih[:, : net.vectors.embedding_dim], layer.weight_hh, layer.bias_ih, layer.bias_hh]


def _look(nodes: Nodes, net: Captioner, hidden_NH: str) -> str:
    """Adds the attention; gives looked_ND f32: the features of what a row looks at."""
    query_NA = _linear(nodes, "query", net.query, hidden_NH)
    heat_NPA = nodes.one("Tanh", nodes.one("Add", signature.KEYS, nodes.one("Unsqueeze", query_NA, nodes.whole(1))))
    weights_A1 = nodes.weights("scores", np.ascontiguousarray(net.scores.weight.detach().numpy().T))
    scores_NP = nodes.one("Squeeze", nodes.one("MatMul", heat_NPA, weights_A1), nodes.whole(2))
    attention_NP = nodes.one("Softmax", scores_NP, axis=1)
    nodes.output(signature.ATTENTION, attention_NP)
    attention_N1P = nodes.one("Unsqueeze", attention_NP, nodes.whole(1))
    looked_ND = nodes.one("Squeeze", nodes.one("MatMul", attention_N1P, signature.FEATURES), nodes.whole(1))
    return nodes.one("Mul", looked_ND, nodes.one("Sigmoid", _linear(nodes, "gate", net.gate, hidden_NH)))


def _deep(nodes: Nodes, net: Captioner, hidden_NH: str, looked_ND: str) -> str:
    """Adds what the state, and what is looked at, tell of the next word: f32[N,E]."""
    of_hidden_NE = _linear(nodes, "from_hidden", net.from_hidden, hidden_NH)
    if not net.attends:
        return of_hidden_NE
    weights_ED = nodes.weights("from_features", net.from_features.weight.detach().numpy())
    return nodes.one("Gemm", looked_ND, weights_ED, of_hidden_NE, transB=1)


def _choose(nodes: Nodes, net: Captioner, task: Captioning, deep_NE: str, weights_VE: str) -> None:
    """Adds the choice of the word, and the candidates."""
    bias_V = net.output.bias.detach().numpy().copy()
    bias_V[[task.start, task.unknown]] = _NEVER
    logits_NV = nodes.one("Gemm", deep_NE, weights_VE, nodes.weights("output_bias", bias_V), transB=1)
    choices, candidates = signature.choices(net), signature.candidates(net)
    ranked = sampling.rank(nodes, logits_NV, choices)
    token_N1, log_probability_N1 = sampling.choose(nodes, ranked, UNIFORM, sampling.controls(nodes, choices))
    nodes.output(NEXT_TOKEN, token_N1)
    nodes.output(LOG_PROBABILITY, log_probability_N1)
    first = nodes.whole(0), nodes.whole(candidates), nodes.whole(1)
    nodes.output(signature.CANDIDATE, nodes.one("Slice", ranked.token, *first))
    nodes.output(signature.CANDIDATE_LOG_PROBABILITY, nodes.one("Slice", ranked.log_probability, *first))


def _linear(nodes: Nodes, name: str, layer: nn.Linear, values: str) -> str:
    weights = nodes.weights(f"{name}.weight", layer.weight.detach().numpy())
    return nodes.one("Gemm", values, weights, nodes.weights(f"{name}.bias", layer.bias.detach().numpy()), transB=1)
