import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import torch

from tests.training.conftest import cut_off, hondo, train
from training import run

_PATIENCE_S: Final = 240


def test_says_what_it_does(idx_dir: Path, tmp_path: Path) -> None:
    """The command names the data, where MNIST is to be had, the scores, the run folder and the next command."""
    result = train(idx_dir, tmp_path / "said")
    assert result.exit_code == 0
    for text in (
        "data   idx:",
        "300 pictures to train on",
        "for MNIST: --data FOLDER",
        "training on cpu",
        "validation error",
        "test error",
        f"next             hondo export {tmp_path / 'said'} --to models",
    ):
        assert text in result.output


def test_unknown_model(tmp_path: Path) -> None:
    """A model without a recipe is answered with those that there are."""
    result = hondo("train", "lenet6", "--out", tmp_path)
    assert result.exit_code == 1
    assert "Error: no model is named 'lenet6' here: there is lenet5" in result.output


def test_missing_data(tmp_path: Path) -> None:
    """A data folder that is not there is answered with what belongs into it."""
    result = hondo("train", "lenet5", "--data", tmp_path / "absent", "--out", tmp_path)
    assert result.exit_code == 1
    assert "train-images-idx3-ubyte.gz is missing" in result.output


def test_keeps_a_run_unless_told(idx_dir: Path, tmp_path: Path) -> None:
    """A folder that holds a run is left alone, unless --overwrite says otherwise."""
    assert train(idx_dir, tmp_path).exit_code == 0
    again = train(idx_dir, tmp_path)
    assert again.exit_code == 2
    assert "--overwrite replaces it" in again.output
    assert train(idx_dir, tmp_path, "--overwrite").exit_code == 0


def test_resumes_only_what_was_cut_off(idx_dir: Path, trained: Path, tmp_path: Path) -> None:
    """There is nothing to resume in an empty folder or in a finished run."""
    for folder in (tmp_path, trained):
        result = train(idx_dir, folder, "--resume")
        assert result.exit_code == 2
        assert "holds no run that was cut off" in result.output


def test_resumes_with_the_same_settings(idx_dir: Path, trained: Path, tmp_path: Path) -> None:
    """A resumed run has the settings that it began with: others are named."""
    checkpoints = tmp_path / run.CHECKPOINTS
    checkpoints.mkdir()
    run.checkpoint_path(tmp_path, run.LAST).write_bytes(run.checkpoint_path(trained, run.LAST).read_bytes())
    result = train(idx_dir, tmp_path, "--resume", "--epochs", 9, "--seed", 3)
    assert result.exit_code == 2
    assert "recipe.epochs is 9, was 4; seed is 3, was 0" in result.output


def test_says_how_to_go_on_after_ctrl_c(idx_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that a person stops says how it is resumed, and fails."""
    cut_off(monkeypatch, after_epochs=1, by=KeyboardInterrupt())
    handler = signal.getsignal(signal.SIGINT)
    try:
        result = train(idx_dir, tmp_path)
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning lets nobody interrupt it twice
    assert result.exit_code == 1
    assert "stopped in epoch 2: the same command with --resume goes on from there" in result.output
    assert not run.is_finished(tmp_path)


@pytest.mark.parametrize("option", [("--epochs", 0), ("--learning-rate", 0), ("--seed", -1), ("--seed", 2**32)])
def test_refuses_settings_that_cannot_be(option: tuple[str, int], tmp_path: Path) -> None:
    """A setting out of range is named."""
    result = hondo("train", "lenet5", "--out", tmp_path, *option)
    assert result.exit_code == 2
    assert option[0] in result.output


def test_help_shows_defaults() -> None:
    """Each option's help says what holds without it."""
    output = " ".join(hondo("train", "--help").output.split())
    for default in ("runs/MODEL", "the model's recipe", "default: 0", "default: auto"):
        assert default in output


def test_two_processes_train_one_net(idx_dir: Path, tmp_path: Path) -> None:
    """Two processes share the work, end as one run, and only the first writes and speaks."""
    command = [sys.executable, "-W", "error", "-m", "hondo.cli", "train", "lenet5"]
    few = ["--epochs", "2", "--batch-size", "64", "--accelerator", "cpu", "--devices", "2", "--strategy", "ddp"]
    output = _output_of([*command, "--data", str(idx_dir), "--out", str(tmp_path), *few])
    assert output.count("training on cpu, 2 processes") == 1
    assert output.count("test error") == 1
    state = torch.load(run.checkpoint_path(tmp_path, run.LAST), weights_only=True)
    assert state["global_step"] == 2 * (275 // 64)
    assert run.load(tmp_path).parameters == 61_706


def _output_of(command: list[str]) -> str:
    """Gives what a command prints, once it and its children succeeded."""
    pipe, one_thread = subprocess.PIPE, {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=one_thread, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(f"it did not end within {_PATIENCE_S} s:\n{output}") from None
    assert process.returncode == 0, output
    return output
