"""The graphs "prefill" and "step" of a net that writes: `TextGeneration` of the manifest says what they compute.

They are drawn node by node rather than traced: a trace unrolls a plain net over a fixed length, and knows no rows of
several lengths. What proves them is the net itself.

Legend: N batch, T tokens of a text, R = T - 1 tokens that are read, K tokens a run writes, V tokens of the vocabulary,
L layers, H units of a layer.
"""

from collections.abc import Mapping, Sequence

import onnx

from export.signature import TOKENS
from export.writing import layers, sampling, signature
from export.writing.nodes import Nodes
from hondo.artifact import PREFILL, STEP
from training.models.recurrent import Recurrent


def prefill(net: Recurrent, facts: Mapping[str, str]) -> onnx.ModelProto:
    """Gives the graph that reads known text."""
    nodes = Nodes()
    tokens_TN = nodes.one("Transpose", TOKENS, perm=[1, 0])
    first, second, end, column = (nodes.whole(number) for number in (0, 1, 2**31 - 1, -1))
    read_RN = nodes.one("Slice", tokens_TN, first, column, first)
    told_RN = nodes.one("Slice", tokens_TN, second, end, first)
    # The operators take no row of length 0: its state is put back below.
    count_N = nodes.one("Sub", signature.LENGTH, second)
    length_N = nodes.one("Cast", nodes.one("Max", count_N, second), to=onnx.TensorProto.INT32)
    values = nodes.one("Gather", _vectors(nodes, net), read_RN, axis=0)
    befores, after = _split(nodes, net), []
    for layer, before in zip(layers.layers(nodes, net), befores, strict=True):
        # f32[N,1,H] to f32[1,N,H], and back.
        turned = [nodes.one("Transpose", part, perm=[1, 0, 2]) for part in before]
        values, states = layers.read(nodes, layer, values, length_N, turned)
        after.append([nodes.one("Transpose", part, perm=[1, 0, 2]) for part in states])
    logits = nodes.one("MatMul", values, nodes.one("Transpose", _output(nodes, net), perm=[1, 0]))
    everything = nodes.one("LogSoftmax", nodes.one("Add", logits, _output_bias(nodes, net)), axis=2)
    told = nodes.one("GatherElements", everything, nodes.one("Unsqueeze", told_RN, column), axis=2)
    log_probability_NR = nodes.one("Transpose", nodes.one("Squeeze", told, column), perm=[1, 0])
    _finish_prefill(nodes, net, log_probability_NR, count_N, after)
    return nodes.model(PREFILL, signature.takes(PREFILL, net), signature.gives(PREFILL, net), facts)


def _finish_prefill(
    nodes: Nodes, net: Recurrent, log_probability_NR: str, count_N: str, after: Sequence[Sequence[str]]
) -> None:
    """Adds the outputs, without what lies beyond a row's length."""
    column = nodes.whole(1)
    count_N1 = nodes.one("Unsqueeze", count_N, column)
    read = nodes.one("Squeeze", nodes.one("Slice", nodes.one("Shape", TOKENS), column, nodes.whole(2)))
    place_R = nodes.one("Range", nodes.scalar(0), nodes.one("Sub", read, nodes.scalar(1)), nodes.scalar(1))
    within = nodes.one("Less", place_R, count_N1)
    masked_NR = nodes.one("Where", within, log_probability_NR, nodes.real(0))
    nodes.output(signature.LOG_PROBABILITY, nodes.one("Pad", masked_NR, nodes.whole(0, 1, 0, 0)))
    was_read = nodes.one("Unsqueeze", nodes.one("Less", nodes.whole(0), count_N1), nodes.whole(2))
    joined = (nodes.one("Concat", *parts, axis=1) for parts in zip(*after, strict=True))
    for name, output, value in zip(signature.states(net), signature.next_states(net), joined, strict=True):
        nodes.output(output, nodes.one("Where", was_read, value, name))


def step(net: Recurrent, facts: Mapping[str, str], steps: int = signature.STEPS) -> onnx.ModelProto:
    """Gives the graph that writes.

    Args:
        net: the net.
        facts: for the metadata.
        steps: K.
    """
    nodes = Nodes()
    column, vocabulary = nodes.whole(1), net.output.out_features
    drawn = layers.layers(nodes, net)
    table = layers.table(nodes, drawn[0], _vectors(nodes, net))
    how = sampling.controls(nodes, vocabulary)
    uniform = nodes.several("Split", steps, signature.UNIFORM, axis=1, num_outputs=steps)
    states = [[nodes.one("Squeeze", part, column) for part in before] for before in _split(nodes, net)]
    token_N, tokens, log_probabilities = signature.TOKEN, [], []
    for uniform_N1 in uniform:
        values = nodes.one("Gather", table, token_N, axis=0)
        for number, layer in enumerate(drawn):
            inward = layers.inward(nodes, layer, values) if number else values
            states[number] = layers.step(nodes, layer, inward, states[number])
            values = states[number][0]
        logits_NV = nodes.one("Gemm", values, _output(nodes, net), _output_bias(nodes, net), transB=1)
        ranked = sampling.rank(nodes, logits_NV, vocabulary)
        token_N1, log_probability_N1 = sampling.choose(nodes, ranked, uniform_N1, how)
        token_N = nodes.one("Squeeze", token_N1, column)
        tokens.append(token_N1)
        log_probabilities.append(log_probability_N1)
    nodes.output(signature.NEXT_TOKEN, nodes.one("Concat", *tokens, axis=1))
    nodes.output(signature.LOG_PROBABILITY, nodes.one("Concat", *log_probabilities, axis=1))
    for output, parts in zip(signature.next_states(net), zip(*states, strict=True), strict=True):
        rows = [nodes.one("Unsqueeze", part, column) for part in parts]
        nodes.output(output, nodes.one("Concat", *rows, axis=1))
    return nodes.model(STEP, signature.takes(STEP, net, steps), signature.gives(STEP, net, steps), facts)


def _split(nodes: Nodes, net: Recurrent) -> list[list[str]]:
    """Gives the state before, layer by layer, f32[N,1,H] each."""
    count = len(net.layers)
    parts = [
        nodes.several("Split", count, name, axis=1, num_outputs=count) if count > 1 else [name]
        for name in signature.states(net)
    ]
    return [list(of_layer) for of_layer in zip(*parts, strict=True)]


def _vectors(nodes: Nodes, net: Recurrent) -> str:
    return nodes.weights("vectors", net.vectors.weight.detach().numpy())


def _output(nodes: Nodes, net: Recurrent) -> str:
    if net.output.weight is net.vectors.weight:
        return _vectors(nodes, net)
    return nodes.weights("output", net.output.weight.detach().numpy())


def _output_bias(nodes: Nodes, net: Recurrent) -> str:
    return nodes.weights("output_bias", net.output.bias.detach().numpy())
