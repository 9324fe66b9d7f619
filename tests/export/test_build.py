import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from export.build import build
from export.candidate import of_run
from export.graphs import ClassifierGraph
from export.manifest import facts
from hondo import artifact
from hondo.errors import InvalidArtifact
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from training.run import Run


@pytest.fixture(scope="module")
def built(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "forms" / "3"
    folder.mkdir(parents=True)
    build(of_run(run), folder, say=lambda _: None)
    return folder


def test_an_artifact_is_four_files(built: Path) -> None:
    """A manifest, one graph, golden samples and a card make an artifact."""
    assert sorted(path.name for path in built.iterdir()) == ["README.md", "golden.npz", "manifest.json", "model.onnx"]


def test_the_contract_accepts_the_artifact(built: Path) -> None:
    """The artifact reads under the name and version of its folder, and has one graph, whose role is `model`."""
    read = artifact.read(built)
    assert (read.manifest.name, read.manifest.version) == ("forms", 3)
    assert [graph.role for graph in read.manifest.graphs] == ["model"]
    assert read.graph_path("model") == built / "model.onnx"


def test_the_server_loads_the_artifact(built: Path) -> None:
    """What the gate let through is what the catalog serves."""
    model = Catalog.load(built.parent.parent, Device.CPU).find("forms", 3)
    assert model.task == "classification"


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_flipped_bit_is_found(name: str, built: Path) -> None:
    """An artifact with one altered bit is refused, naming the file."""
    whole = (built / name).read_bytes()
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    try:
        (built / name).write_bytes(flipped)
        with pytest.raises(InvalidArtifact, match=rf"{name} was altered"):
            artifact.read(built)
    finally:
        (built / name).write_bytes(whole)


def test_golden_outputs_are_pytorchs(built: Path, run: Run, graph: ClassifierGraph) -> None:
    """The golden samples are real ones, with what PyTorch, not ONNX Runtime, made of them."""
    inputs, outputs = artifact.read(built).golden("model")
    np.testing.assert_array_equal(inputs["image"], run.samples.inputs[:8])
    np.testing.assert_array_equal(outputs["probabilities"], graph.answer(run.samples.inputs[:8]))


# What somebody who was given nothing but the file might write.
ALONE = """
import json, sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
facts = session.get_modelmeta().custom_metadata_map
labels = json.loads(facts["labels"])
[probabilities] = session.run(None, {"image": np.load(sys.argv[2])})
print(json.dumps({"facts": facts, "answers": [labels[best] for best in probabilities.argmax(axis=1)]}))
"""


def test_the_file_alone_gives_the_same_labels(built: Path, run: Run, graph: ClassifierGraph, tmp_path: Path) -> None:
    """With onnxruntime and the file's own metadata the labels are the net's, and all facts are the manifest's."""
    np.save(tmp_path / "pictures.npy", run.samples.inputs)
    (tmp_path / "lone.onnx").write_bytes((built / "model.onnx").read_bytes())
    ran = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, "lone.onnx", "pictures.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert told["answers"] == [run.task.labels[best] for best in graph.answer(run.samples.inputs).argmax(axis=1)]
    assert len(set(told["answers"])) > 1
    assert told["facts"] == facts(artifact.read(built).manifest)
