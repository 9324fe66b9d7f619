"""The state that a graph declares in its metadata."""

import json
from pathlib import Path

import onnx
import pytest
from onnx import helper

from hondo.errors import InvalidArtifact
from serving.runtime import states
from serving.runtime.session import Session
from tests.serving import graphs


def declaring(path: Path, metadata: str, state: graphs.Shape = ("n", 3), after: str = "FP32") -> Session:
    """Opens a graph that adds x to its state, with some metadata; `after` is what the state becomes."""
    nodes = [
        helper.make_node("Add", ["x", "h"], ["sum"]),
        helper.make_node("Identity", ["sum"], ["y"]),
        helper.make_node("Cast", ["sum"], ["next_h"], to=graphs.ELEMENT_TYPES[after]),
    ]
    inputs = [graphs.tensor("x", "FP32", ["n", 3]), graphs.tensor("h", "FP32", state)]
    outputs = [graphs.tensor("y", "FP32", ["n", 3]), graphs.tensor("next_h", after, ["n", 3])]
    graphs.save(path, nodes, inputs, outputs)
    model = onnx.load(path)
    helper.set_model_props(model, {states.KEY: metadata})
    onnx.save(model, path)
    return Session.open(path)


def test_state_is_what_the_graph_declares(tmp_path: Path) -> None:
    """A declared state is known by its input and its output, and begins with zeros."""
    (state,) = states.declared(declaring(tmp_path / "model.onnx", json.dumps({"h": "next_h"})))
    assert (state.input.name, state.output.name) == ("h", "next_h")
    assert state.zero().tolist() == [[0, 0, 0]]


def test_graph_without_declaration_has_none(tmp_path: Path) -> None:
    """A graph that declares nothing keeps nothing."""
    assert states.declared(Session.open(graphs.same(tmp_path / "model.onnx", "FP32", ["n"]))) == ()


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ("{", "are no JSON"),
        ('["h"]', "an object of names expected"),
        ('{"h": 1}', "an object of names expected"),
        ('{"g": "next_h"}', "'g' is no input"),
        ('{"h": "next_g"}', "'next_g' is no output"),
        ('{"h": "next_h", "x": "y"}', "all inputs are state"),
    ],
)
def test_wrong_declaration_is_refused(tmp_path: Path, metadata: str, text: str) -> None:
    """What does not fit the graph is refused with a text that says what is wrong."""
    with pytest.raises(InvalidArtifact, match=text):
        states.declared(declaring(tmp_path / "model.onnx", metadata))


def test_state_of_free_size_is_refused(tmp_path: Path) -> None:
    """A state whose size requests would choose has no beginning."""
    with pytest.raises(InvalidArtifact, match="only the batch free"):
        states.declared(declaring(tmp_path / "model.onnx", '{"h": "next_h"}', state=("n", "m")))


def test_state_that_becomes_another_kind_is_refused(tmp_path: Path) -> None:
    """An output that the input cannot be is no state."""
    with pytest.raises(InvalidArtifact, match="another kind"):
        states.declared(declaring(tmp_path / "model.onnx", '{"h": "next_h"}', after="FP64"))
