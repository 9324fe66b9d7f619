"""What the loop needs of two graphs is read from their signatures, or they do not load."""

from pathlib import Path

import onnx
import pytest

from hondo.errors import InvalidArtifact
from serving.decode.graphs import Graphs
from serving.runtime.session import Session
from tests.serving import writers


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_signature_says_all(tmp_path: Path, steps: int) -> None:
    """State, constants and tokens a run are found by name and shape."""
    graphs = writers.open_graphs(tmp_path, steps)
    assert [each.name for each in graphs.states] == ["state_seen"]
    assert [each.name for each in graphs.constants] == ["temperature", "top_k", "top_p"]
    assert graphs.steps == steps


def _renamed(path: Path, old: str, new: str) -> Session:
    """Opens a graph with one of its inputs or outputs renamed."""
    model = onnx.load(path)
    for info in (*model.graph.input, *model.graph.output):
        info.name = new if info.name == old else info.name
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    onnx.save(model, path)
    return Session.open(path, threads=1)


@pytest.mark.parametrize(
    ("role", "tensor"),
    [
        *(("step", name) for name in ("token", "uniform", "next_token", "log_probability", "next_state_seen")),
        *(("prefill", name) for name in ("tokens", "length", "state_seen", "log_probability", "next_state_seen")),
    ],
)
def test_missing_tensor_is_named(tmp_path: Path, role: str, tensor: str) -> None:
    """A graph without a tensor that the loop feeds or reads does not load; the error names both."""
    graphs = writers.open_graphs(tmp_path)
    assert graphs.prefill is not None
    sessions = {"prefill": graphs.prefill, "step": graphs.step}
    sessions[role] = _renamed(tmp_path / f"{role}.onnx", tensor, "another")
    with pytest.raises(InvalidArtifact, match=f"graph '{role}' has no '{tensor}'"):
        Graphs.of(sessions)


def test_other_graphs_are_refused(tmp_path: Path) -> None:
    """A model that writes has these two graphs and no other."""
    graphs = writers.open_graphs(tmp_path)
    with pytest.raises(InvalidArtifact, match="'prefill' and 'step'; here are step"):
        Graphs.of({"step": graphs.step})


def test_only_the_batch_may_be_free(tmp_path: Path) -> None:
    """A step whose buffers could not be made once is refused."""
    graphs = writers.open_graphs(tmp_path)
    model = onnx.load(tmp_path / "step.onnx")
    uniform = next(info for info in model.graph.input if info.name == "uniform")
    uniform.type.tensor_type.shape.dim[1].dim_param = "K"
    onnx.save(model, tmp_path / "step.onnx")
    step = Session.open(tmp_path / "step.onnx", threads=1)
    assert graphs.prefill is not None
    with pytest.raises(InvalidArtifact, match=r"only the batch may be free, not so in 'uniform' FP32\[-1, -1\]"):
        Graphs.of({"prefill": graphs.prefill, "step": step})
