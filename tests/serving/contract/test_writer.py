"""What a manifest says of a model that writes is held against its graphs at load."""

from pathlib import Path

import onnx
import pytest
from google.protobuf import json_format

from hondo.artifact import MANIFEST, describe
from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import Manifest
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from tests.serving import writers
from tests.serving.artifacts import write_manifest


def load(models: Path) -> None:
    Catalog.load(models, Device.CPU)


def read(folder: Path) -> Manifest:
    return json_format.Parse((folder / MANIFEST).read_text("utf-8"), Manifest())


def test_whole_artifact_loads(tmp_path: Path) -> None:
    """A model that writes is loaded with both graphs."""
    writers.write_writer(tmp_path)
    (model,) = Catalog.load(tmp_path, Device.CPU)
    assert (model.name, model.task, list(model.sessions)) == ("writer", "text_generation", ["prefill", "step"])


@pytest.mark.parametrize(
    ("vocabulary", "start", "text"),
    [([], 0, "vocabulary is missing"), (["ab"], 0, "'ab', which is not one"), (["a", "b"], 2, "the start is token 2")],
)
def test_wrong_vocabulary_does_not_load(tmp_path: Path, vocabulary: list[str], start: int, text: str) -> None:
    """A vocabulary that contradicts itself is found at load, with the artifact's name."""
    folder = writers.write_writer(tmp_path)
    manifest = read(folder)
    manifest.text_generation.vocabulary[:] = vocabulary
    manifest.text_generation.start = start
    write_manifest(folder, manifest)
    with pytest.raises(InvalidArtifact, match=f"writer/1: text_generation: .*{text}"):
        load(tmp_path)


def test_missing_graph_does_not_load(tmp_path: Path) -> None:
    """Both graphs are needed."""
    folder = writers.write_writer(tmp_path)
    manifest = read(folder)
    del manifest.graphs[0]
    write_manifest(folder, manifest)
    with pytest.raises(InvalidArtifact, match="has graphs 'prefill' and 'step'; here are step"):
        load(tmp_path)


def test_other_controls_do_not_load(tmp_path: Path) -> None:
    """A step that is steered by something else than what requests can say is refused."""
    folder = writers.write_writer(tmp_path)
    model = onnx.load(folder / "step.onnx")
    for info in model.graph.input:
        info.name = "heat" if info.name == "temperature" else info.name
    for node in model.graph.node:
        node.input[:] = ["heat" if name == "temperature" else name for name in node.input]
    onnx.save(model, folder / "step.onnx")
    manifest = read(folder)
    manifest.graphs[1].file.CopyFrom(describe(folder / "step.onnx"))
    write_manifest(folder, manifest)
    with pytest.raises(InvalidArtifact, match=r"must take 'temperature' FP32\[-1\].*'heat' FP32"):
        load(tmp_path)
