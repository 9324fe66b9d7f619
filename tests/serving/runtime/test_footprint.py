"""The memory that a run of an edge detector takes for each pixel."""

from pathlib import Path

import pytest

from hondo.errors import InvalidArtifact
from serving.runtime import footprint
from tests.serving import edges, graphs


def test_a_run_takes_at_least_what_goes_in_and_out(tmp_path: Path) -> None:
    """Three bytes of colour in and three maps of four bytes out are counted, and no more than a few times that."""
    graph = edges.write_graph(tmp_path / "model.onnx", 3, sides=True)
    assert 3 + 3 * 4 <= footprint.bytes_per_pixel(graph) <= 400


def test_a_graph_that_fails_at_other_sizes_is_refused(tmp_path: Path) -> None:
    """A graph whose signature promises any size, but which fails at one, does not load."""
    graph = graphs.square_edges(tmp_path / "model.onnx", 16)
    with pytest.raises(InvalidArtifact, match="does not run on 256 x 256 pixels"):
        footprint.bytes_per_pixel(graph)
