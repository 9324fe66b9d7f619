import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from hondo import artifact
from hondo.cli import main
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from serving.runtime.session import Session
from training.run import Run


@pytest.fixture
def export(digits_run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    monkeypatch.setattr("training.run.load", lambda _: digits_run)

    def run(*flags: str) -> Result:
        return CliRunner().invoke(main, ["export", str(tmp_path), "--to", str(tmp_path / "models"), *flags])

    return run


@pytest.mark.parametrize(("precision", "steps"), [("int8", 4), ("fp16", 8), ("fp16-weights", 8)])
def test_a_lower_precision_is_proved_scored_timed_and_served(
    precision: str, steps: int, export: object, tmp_path: Path
) -> None:
    """The graph in 32-bit floats is proved first; the lowered one takes its place with its score, speed and samples."""
    assert callable(export)
    ran = export("--precision", precision, "--data", "digits", "--max-drop", "2")
    assert ran.exit_code == 0, ran.output
    words = [line.split()[0] for line in ran.output.splitlines()]
    assert words.count("parity") == steps
    assert [word for word in words if word != "parity"] == [
        *("run", "graph", precision, "score", "speed", "golden", "done")
    ]
    read = artifact.read(tmp_path / "models" / "digits" / "1")
    told = read.manifest.precision
    assert (told.name, told.full.metric, told.lowered.data) == (precision, "error", "digits test")
    assert told.lowered.value <= told.full.value + 2
    assert told.speed_ratio > 0
    assert told.batch > 0
    assert "onnxruntime" in told.machine
    assert list(read.manifest.scores) == [told.lowered], "the scores are the published file's"
    assert sorted(path.name for path in read.folder.iterdir()) == [
        *("README.md", "golden.npz", "manifest.json", "model.onnx")
    ]
    assert f"is the same graph in {precision}" in (read.folder / "README.md").read_text("utf-8")
    facts = Session.open(read.graph_path("model")).metadata
    assert json.loads(facts["precision"])["name"] == precision
    assert Catalog.load(tmp_path / "models", Device.CPU).find("digits").task == "classification"


def test_golden_samples_are_the_published_files(export: object, tmp_path: Path) -> None:
    """In 8 bits the golden outputs are what the file gives, which PyTorch does not quite say."""
    assert callable(export)
    assert export("--precision", "int8", "--data", "digits", "--max-drop", "5").exit_code == 0
    read = artifact.read(tmp_path / "models" / "digits" / "1")
    inputs, outputs = read.golden("model")
    found_NK = Session.open(read.graph_path("model")).run(inputs)["probabilities"].astype(np.float32)
    np.testing.assert_allclose(found_NK, outputs["probabilities"].astype(np.float32), atol=1e-5)


def test_what_drops_too_far_is_not_published(
    export: object, digits_run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A quantiser that spoils the net is found out on the test data, and nothing is left."""
    assert callable(export)

    def spoil(model: onnx.ModelProto, _: object) -> onnx.ModelProto:
        for weights in model.graph.initializer:
            if len(weights.dims) > 1:
                array = onnx.numpy_helper.to_array(weights)
                weights.CopyFrom(onnx.numpy_helper.from_array(np.sign(array).astype(np.float32), weights.name))
        return model

    monkeypatch.setattr("export.precision.int8.quantise", spoil)
    ran = export("--precision", "int8", "--data", "digits")
    assert ran.exit_code == 1
    assert "points more, at most 0.5 are allowed (--max-drop)" in ran.output
    assert not list((tmp_path / "models").rglob("*"))


def test_a_lower_precision_needs_data(export: object) -> None:
    """Without data there is nothing to score with: the text says which is needed."""
    assert callable(export)
    ran = export("--precision", "int8")
    assert ran.exit_code == 2
    assert "--precision int8 is made and scored with the net's own data: --data digits" in ran.output
