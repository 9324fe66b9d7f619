"""What an edge detector must be to be served."""

from pathlib import Path

import pytest
from onnx import helper

from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import EdgeDetection
from serving.catalog.catalog import Catalog
from serving.contract import detector
from serving.runtime.device import Device
from serving.runtime.session import Session
from tests.serving import edges, graphs

TASK = EdgeDetection(channels=3, reach_px=4, step_px=4)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A detector of edges in colour."""
    return Session.open(edges.write_graph(tmp_path / "model.onnx", 3, sides=True))


def test_a_detector_loads_with_or_without_side_outputs(tmp_path: Path) -> None:
    """Side outputs are the net's own affair; how much memory a run takes is known either way."""
    edges.write_detector(tmp_path, "with", sides=True)
    edges.write_detector(tmp_path, "without", sides=False, channels=1, reach_px=0)
    catalog = Catalog.load(tmp_path, Device.CPU)
    assert [model.task for model in catalog] == ["edge_detection"] * 2
    assert all(model.pixel_bytes > 0 for model in catalog)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (EdgeDetection(channels=2), "channels: the manifest says 2, 1 or 3 expected"),
        (EdgeDetection(channels=3, reach_px=4), "step_px: 0, at least 1 expected where reach_px is not 0"),
        (EdgeDetection(channels=1), r"takes UINT8\[-1, -1, -1, 1\], the graph takes 'image' UINT8\[-1, -1, -1, 3\]"),
    ],
)
def test_a_manifest_that_contradicts_its_graph_is_refused(session: Session, task: EdgeDetection, text: str) -> None:
    """The error says what the manifest has and what was expected."""
    with pytest.raises(InvalidArtifact, match=text):
        detector.check(task, {"model": session})


def test_a_graph_of_another_role_is_refused(session: Session) -> None:
    """The one graph is called model."""
    with pytest.raises(InvalidArtifact, match="of the role 'model'; here are edges"):
        detector.check(TASK, {"edges": session})


def test_a_graph_without_maps_is_refused(tmp_path: Path) -> None:
    """What a graph gives must be edges, f32[N,H,W]."""
    nodes = helper.make_node("Identity", ["image"], ["edges"])
    shape: list[int | str | None] = ["n", "h", "w", 3]
    inputs, outputs = [graphs.tensor("image", "UINT8", shape)], [graphs.tensor("edges", "UINT8", shape)]
    graph = Session.open(graphs.save(tmp_path / "model.onnx", [nodes], inputs, outputs))
    with pytest.raises(InvalidArtifact, match=r"gives 'edges' FP32\[N, H, W\]"):
        detector.check(TASK, {"model": graph})
