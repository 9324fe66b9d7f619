"""A model that writes, without torch: its state is a hash of all that it has seen, so that no mix-up stays hidden.

The hash after a token is (31 h + token + 1) mod 1009, from 0. The next token is (7 h + chance + top_k) mod V, where
chance is floor(V u), or 0 at temperature 0; its log-probability is -((3 h + token) mod 97 + 1) / 8. All of that is
exact in 32-bit floats, so `Twin` says to the last bit what is to come.

Legend: N batch, T tokens, K tokens a run of "step" writes, V characters.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from hondo.artifact import GOLDEN, describe
from protos.manifest_pb2 import Graph, Manifest, TextGeneration
from serving.decode.chance import Chance
from serving.decode.graphs import Graphs
from serving.runtime.session import Session
from tests.serving import graphs
from tests.serving.artifacts import write_golden, write_manifest

# A power of two of them, so that chance is exact.
VOCABULARY: Final = "\n abcdefghijklmnopqrstuvwxyz.'-!"
START: Final = 0
STEPS: Final = 4
_PRIME: Final = 1009


class Twin:
    """The same model in plain integers."""

    def __init__(self) -> None:
        self.hash = 0

    def see(self, token: int) -> None:
        """Reads a token."""
        self.hash = (31 * self.hash + token + 1) % _PRIME

    def log_probability(self, token: int) -> float:
        """Gives that of the token that comes next."""
        return -((3 * self.hash + token) % 97 + 1) / 8

    def choose(self, uniform: float, *, top_k: int = 0) -> int:
        """Gives the token that comes next."""
        return (7 * self.hash + int(len(VOCABULARY) * uniform) + top_k) % len(VOCABULARY)


def written(
    prompt: Sequence[int], count: int, *, seed: int = 0, row: int = 0, temperature: float = 1, top_k: int = 0
) -> tuple[list[int], list[float]]:
    """Gives the tokens that the model writes after a prompt, and their log-probabilities."""
    twin, tokens, log_probabilities = Twin(), list(prompt), []
    for token in prompt[:-1]:
        twin.see(token)
    for uniform in Chance(seed, row).draw(count).tolist():
        twin.see(tokens[-1])
        tokens.append(twin.choose(uniform if temperature else 0, top_k=top_k))
        log_probabilities.append(twin.log_probability(tokens[-1]))
    return tokens[len(prompt) :], log_probabilities


def scores(tokens: Sequence[int]) -> list[float]:
    """Gives the log-probability of each token; 0 for the first."""
    twin, found = Twin(), [0.0]
    for token, after in itertools.pairwise(tokens):
        twin.see(token)
        found.append(twin.log_probability(after))
    return found


def encode(text: str) -> list[int]:
    """Gives the tokens of a text."""
    return [VOCABULARY.index(character) for character in text]


def decode(tokens: Sequence[int]) -> str:
    """Gives the text of tokens."""
    return "".join(VOCABULARY[token] for token in tokens)


def _see(hash_: str, token: str, after: str) -> list[onnx.NodeProto]:
    """Gives nodes that make the hash after a token, f32[N,1] each."""
    return [
        helper.make_node("Mul", [hash_, "c31"], [f"{after}_times"]),
        helper.make_node("Add", [f"{after}_times", token], [f"{after}_sum"]),
        helper.make_node("Add", [f"{after}_sum", "c1"], [f"{after}_more"]),
        helper.make_node("Mod", [f"{after}_more", "prime"], [after], fmod=1),
    ]


def _log_probability(hash_: str, token: str, output: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Mul", [hash_, "c3"], [f"{output}_times"]),
        helper.make_node("Add", [f"{output}_times", token], [f"{output}_sum"]),
        helper.make_node("Mod", [f"{output}_sum", "c97"], [f"{output}_mod"], fmod=1),
        helper.make_node("Add", [f"{output}_mod", "c1"], [f"{output}_more"]),
        helper.make_node("Div", [f"{output}_more", "minus8"], [output]),
    ]


def _constants() -> dict[str, NDArray[Any]]:
    numbers = {"c31": 31, "c1": 1, "c3": 3, "c7": 7, "c97": 97, "minus8": -8, "prime": _PRIME, "v": len(VOCABULARY)}
    made: dict[str, NDArray[Any]] = {name: np.array(number, np.float32) for name, number in numbers.items()}
    return {**made, "zero": np.array(0, np.float32), "column": np.array([1]), "first": np.array([0])}


def step(path: Path, steps: int = STEPS, hangs_at_top_k: int | None = None) -> Path:
    """Writes graph "step". The state has its hash twice, the second time negative.

    Where `hangs_at_top_k` is given, a run with a row that has it does not end.
    """
    hanging, hanging_constants = ([], {}) if hangs_at_top_k is None else _hanging(hangs_at_top_k)
    nodes = [
        *hanging,
        helper.make_node("Split", ["state_seen"], ["h0", "negative"], axis=1, num_outputs=2),
        helper.make_node("Cast", ["token"], ["token_f"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["token_f", "column"], ["t0"]),
        helper.make_node("Cast", ["top_k"], ["top_k_f"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["top_p", "least" if hanging else "zero"], ["nothing"]),
        helper.make_node("Add", ["top_k_f", "nothing"], ["shift_N"]),
        helper.make_node("Unsqueeze", ["shift_N", "column"], ["shift"]),
        helper.make_node("Sign", ["temperature"], ["is_random_N"]),
        helper.make_node("Unsqueeze", ["is_random_N", "column"], ["is_random"]),
        helper.make_node("Mul", ["uniform", "is_random"], ["chance"]),
        helper.make_node("Split", ["chance"], [f"u{k}" for k in range(steps)], axis=1, num_outputs=steps)
        if steps > 1
        else helper.make_node("Identity", ["chance"], ["u0"]),
    ]
    for k in range(steps):
        nodes += _see(f"h{k}", f"t{k}", f"h{k + 1}")
        nodes += [
            helper.make_node("Mul", [f"u{k}", "v"], [f"wide{k}"]),
            helper.make_node("Floor", [f"wide{k}"], [f"draw{k}"]),
            helper.make_node("Mul", [f"h{k + 1}", "c7"], [f"seven{k}"]),
            helper.make_node("Add", [f"seven{k}", f"draw{k}"], [f"drawn{k}"]),
            helper.make_node("Add", [f"drawn{k}", "shift"], [f"shifted{k}"]),
            helper.make_node("Mod", [f"shifted{k}", "v"], [f"t{k + 1}"], fmod=1),
        ]
        nodes += _log_probability(f"h{k + 1}", f"t{k + 1}", f"p{k}")
    nodes += [
        helper.make_node("Concat", [f"t{k + 1}" for k in range(steps)], ["tokens_f"], axis=1),
        helper.make_node("Cast", ["tokens_f"], ["next_token"], to=onnx.TensorProto.INT64),
        helper.make_node("Concat", [f"p{k}" for k in range(steps)], ["log_probability"], axis=1),
        helper.make_node("Neg", [f"h{steps}"], ["minus"]),
        helper.make_node("Concat", [f"h{steps}", "minus"], ["next_state_seen"], axis=1),
    ]
    inputs = [
        graphs.tensor("token", "INT64", ["N"]),
        graphs.tensor("state_seen", "FP32", ["N", 2]),
        graphs.tensor("temperature", "FP32", ["N"]),
        graphs.tensor("top_k", "INT64", ["N"]),
        graphs.tensor("top_p", "FP32", ["N"]),
        graphs.tensor("uniform", "FP32", ["N", steps]),
    ]
    outputs = [
        graphs.tensor("next_token", "INT64", ["N", steps]),
        graphs.tensor("log_probability", "FP32", ["N", steps]),
        graphs.tensor("next_state_seen", "FP32", ["N", 2]),
    ]
    return graphs.save(path, nodes, inputs, outputs, **_used(nodes, _constants()), **hanging_constants)


def _hanging(top_k: int) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
    """Gives nodes and constants that make `least`, which is 0.0: at once, or never where a row's top_k is this."""
    looping, constants = graphs.loop()
    nodes = [
        helper.make_node("Equal", ["top_k", "hangs_at"], ["hangs_N"]),
        helper.make_node("Cast", ["hangs_N"], ["hangs_i"], to=onnx.TensorProto.INT64),
        helper.make_node("ReduceMax", ["hangs_i"], ["hangs"], keepdims=0),
        helper.make_node("Mul", ["hangs", "for_ever"], ["steps"]),
        *looping,
    ]
    return nodes, {**constants, "hangs_at": np.array(top_k), "for_ever": np.array(10**12)}


def prefill(path: Path) -> Path:
    """Writes graph "prefill": a Scan over the tokens, which passes over those beyond a row's length."""
    one: list[int | str | None] = ["N", 1]
    body_nodes = [
        # The token before this one is read, if this one is text; then this one's probability is known.
        *_see("h_in", "before", "h_seen"),
        helper.make_node("Less", ["place", "length_in"], ["is_text"]),
        helper.make_node("Where", ["is_text", "h_seen", "h_in"], ["h_out"]),
        *_log_probability("h_out", "this", "p_any"),
        helper.make_node("Where", ["is_text", "p_any", "zero"], ["p"]),
        helper.make_node("Identity", ["length_in"], ["length_out"]),
    ]
    body = helper.make_graph(
        body_nodes,
        "read",
        [
            graphs.tensor("h_in", "FP32", one),
            graphs.tensor("length_in", "INT64", one),
            graphs.tensor("before", "FP32", one),
            graphs.tensor("this", "FP32", one),
            graphs.tensor("place", "INT64", []),
        ],
        [
            graphs.tensor("h_out", "FP32", one),
            graphs.tensor("length_out", "INT64", one),
            graphs.tensor("p", "FP32", one),
        ],
    )
    nodes = [
        helper.make_node("Split", ["state_seen"], ["h", "negative"], axis=1, num_outputs=2),
        helper.make_node("Unsqueeze", ["length", "column"], ["length_column"]),
        helper.make_node("Cast", ["tokens"], ["tokens_NT"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Transpose", ["tokens_NT"], ["tokens_TN"], perm=[1, 0]),
        helper.make_node("Unsqueeze", ["tokens_TN", "last"], ["tokens_TN1"]),
        helper.make_node("Slice", ["tokens_TN1", "first", "last", "first"], ["befores"]),
        helper.make_node("Slice", ["tokens_TN1", "column", "end", "first"], ["these"]),
        helper.make_node("Shape", ["tokens_TN1"], ["sizes"], end=1),
        helper.make_node("Squeeze", ["sizes"], ["size"]),
        helper.make_node("Range", ["one_scalar", "size", "one_scalar"], ["places"]),
        helper.make_node(
            "Scan",
            ["h", "length_column", "befores", "these", "places"],
            ["h_after", "length_after", "p_RN1"],
            body=body,
            num_scan_inputs=3,
        ),
        helper.make_node("Squeeze", ["p_RN1", "last"], ["p_RN"]),
        helper.make_node("Transpose", ["p_RN"], ["p_NR"], perm=[1, 0]),
        helper.make_node("Pad", ["p_NR", "one_before"], ["log_probability"]),
        helper.make_node("Neg", ["h_after"], ["minus"]),
        helper.make_node("Concat", ["h_after", "minus"], ["next_state_seen"], axis=1),
    ]
    constants = {
        **_used([*nodes, *body_nodes], _constants()),
        "last": np.array([-1]),
        "end": np.array([2**31 - 1]),
        "one_scalar": np.array(1),
        "one_before": np.array([0, 1, 0, 0]),
    }
    inputs = [
        graphs.tensor("tokens", "INT64", ["N", "T"]),
        graphs.tensor("length", "INT64", ["N"]),
        graphs.tensor("state_seen", "FP32", ["N", 2]),
    ]
    outputs = [graphs.tensor("log_probability", "FP32", ["N", "T"]), graphs.tensor("next_state_seen", "FP32", ["N", 2])]
    return graphs.save(path, nodes, inputs, outputs, **constants)


def _used(nodes: Sequence[onnx.NodeProto], constants: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    names = {name for node in nodes for name in node.input}
    return {name: array for name, array in constants.items() if name in names}


def golden() -> dict[str, dict[str, NDArray[Any]]]:
    """Gives inputs of both graphs, by role."""
    rows = np.arange(3)
    state = np.stack([rows * 5, rows * -5], axis=1).astype(np.float32)
    return {
        "prefill": {
            "tokens": np.arange(15).reshape(3, 5) % len(VOCABULARY),
            "length": np.array([5, 3, 1]),
            "state_seen": state,
        },
        "step": {
            "token": rows,
            "state_seen": state,
            "temperature": np.array([1, 0, 1], np.float32),
            "top_k": np.array([0, 0, 2]),
            "top_p": np.ones(3, np.float32),
            "uniform": np.linspace(0, 0.99, 3 * STEPS, dtype=np.float32).reshape(3, STEPS),
        },
    }


def open_graphs(folder: Path, steps: int = STEPS) -> Graphs:
    """Gives both graphs, written below a folder."""
    paths = {"prefill": prefill(folder / "prefill.onnx"), "step": step(folder / "step.onnx", steps)}
    return Graphs.of({role: Session.open(path, threads=1) for role, path in paths.items()})


def write_writer(models: Path, name: str = "writer", version: int = 1, hangs_at_top_k: int | None = None) -> Path:
    """Writes the artifact below the folder `models`; gives its folder."""
    folder = models / name / str(version)
    paths = {
        "prefill": prefill(folder / "prefill.onnx"),
        "step": step(folder / "step.onnx", hangs_at_top_k=hangs_at_top_k),
    }
    arrays: dict[str, NDArray[Any]] = {}
    for role, feeds in golden().items():
        outputs = Session.open(paths[role], threads=1).run(feeds)
        arrays |= {f"{role}/in/{tensor}": array for tensor, array in feeds.items()}
        arrays |= {f"{role}/out/{tensor}": array for tensor, array in outputs.items()}
    write_golden(folder, arrays)
    manifest = Manifest(
        name=name,
        version=version,
        summary="Writes a hash of what it has seen.",
        graphs=[Graph(role=role, file=describe(path)) for role, path in paths.items()],
        golden=describe(folder / GOLDEN),
        text_generation=TextGeneration(vocabulary=VOCABULARY, start=START),
    )
    write_manifest(folder, manifest)
    return folder
