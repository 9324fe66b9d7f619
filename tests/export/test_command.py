import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor, nn

from hondo import artifact
from hondo.cli import main
from tests.export.conftest import make_run
from training.run import Run


def export(run: Run, monkeypatch: pytest.MonkeyPatch, models: Path, *arguments: str) -> Result:
    monkeypatch.setattr("training.run.load", lambda _: run)
    return CliRunner().invoke(main, ["export", str(models.parent), "--to", str(models), *arguments])


def test_an_export_prints_its_steps_and_publishes(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is told with its figure, and the version is there to be served."""
    ran = export(run, monkeypatch, tmp_path / "models")
    assert ran.exit_code == 0, ran.output
    for told in (
        "shapes, 627 parameters, 3 labels",
        "model.onnx, opset 20, ",
        "batch of  1: largest difference ",
        "batch of 32: largest difference ",
        "golden   8 samples",
        f"{tmp_path / 'models' / 'shapes' / '1'} in ",
        f"next: hondo serve {tmp_path / 'models'}",
    ):
        assert told in ran.output
    assert artifact.read(tmp_path / "models" / "shapes" / "1").manifest.version == 1


def test_name_and_version_can_be_chosen(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--name and --version decide the folder; the same pair is refused the second time, before any work."""
    arguments = ("--name", "forms", "--version", "5")
    assert export(run, monkeypatch, tmp_path / "models", *arguments).exit_code == 0
    manifest = artifact.read(tmp_path / "models" / "forms" / "5").manifest
    assert (manifest.name, manifest.version) == ("forms", 5)
    again = export(run, monkeypatch, tmp_path / "models", *arguments)
    assert again.exit_code == 1
    assert again.output.endswith("is there already, and what is published never changes: take another version\n")


class TwoFaced(nn.Module):
    """A net that says one thing to the exporter and another thing in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(48, 3)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK."""
        logits_NK: Tensor = self.linear(image_NCHW.flatten(1))
        return logits_NK.flip(1) if torch.compiler.is_exporting() else logits_NK


def test_a_file_that_differs_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the gate refuses, the command fails saying which sample differs by how much, and no file is new."""
    models = tmp_path / "models"
    (models / "shapes" / "1").mkdir(parents=True)
    before = sorted(models.rglob("*"))
    ran = export(make_run(TwoFaced()), monkeypatch, models)
    assert ran.exit_code == 1
    assert "Error: graph 'model', batch of 1, sample 0: the probability of " in ran.output
    assert "a difference of 0." in ran.output
    assert sorted(models.rglob("*")) == before


def test_a_trained_run_is_exported(tmp_path: Path) -> None:
    """From `hondo train` to the artifact, with nothing on the terminal but the export's own lines."""
    trained = CliRunner().invoke(
        main, ["train", "lenet5", "--data", "digits", "--epochs", "1", "--out", str(tmp_path / "run")]
    )
    assert trained.exit_code == 0, trained.output
    # In a process of its own, with Python's usual warnings, as a user runs it.
    line = [sys.executable, "-m", "hondo.cli", "export", "run"]
    ran = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert [line.split()[0] for line in ran.stdout.splitlines()] == ["run", "graph", *["parity"] * 4, "golden", "done"]
    manifest = artifact.read(tmp_path / "models" / "lenet5" / "1").manifest
    assert len(manifest.classification.labels) == 10
    assert [score.metric for score in manifest.scores] == ["error"]
