"""Legend: H height, W width."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.conftest import cut_off, hondo, train
from training import run
from training.recipe import find

_PATIENCE_S: Final = 240


def test_says_what_it_does(idx_dir: Path, tmp_path: Path) -> None:
    """The command names the data, where MNIST is to be had, the scores, the run folder and the next command."""
    result = train(idx_dir, tmp_path / "said")
    assert result.exit_code == 0
    for text in (
        "data   idx:",
        "300 examples to train on",
        "made for mnist: --data FOLDER with mnist",
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
    assert "Error: no model is named 'lenet6' here (did you mean lenet5?): there is" in result.output


def test_missing_data(tmp_path: Path) -> None:
    """A data folder that is not there is named, with what the model needs."""
    result = hondo("train", "lenet5", "--data", tmp_path / "absent", "--out", tmp_path)
    assert result.exit_code == 1
    assert f"there is no {tmp_path / 'absent'}" in result.output
    assert "lenet5 is made for mnist" in result.output


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


def test_lists_settings_without_training(tmp_path: Path) -> None:
    """`--settings` prints the recipe as JSON, changes included, and trains nothing."""
    out = tmp_path / "absent"
    options = ("--set", "optimizer.lr=0.5", "--set", "schedule.kind=step", "--epochs", 7, "--settings")
    result = hondo("train", "lenet5", "--out", out, *options)
    assert result.exit_code == 0
    expected = find("lenet5").changed({"optimizer.lr": "0.5", "schedule.kind": "step", "epochs": "7"})
    assert json.loads(result.output) == expected.settings()
    assert not out.exists()


def test_trains_with_changed_settings(idx_dir: Path, tmp_path: Path) -> None:
    """What `--set` changes is what the run is trained with, and what it says of itself."""
    options = ("--set", "net.activation=tanh", "--set", "optimizer.kind=sgd", "--set", "average.kind=none")
    assert train(idx_dir, tmp_path, *options).exit_code == 0
    loaded = run.load(tmp_path)
    assert (loaded.recipe["net"], loaded.recipe["epochs"]) == ({"activation": "tanh"}, 4)
    state = torch.load(run.checkpoint_path(tmp_path, run.LAST), weights_only=True)
    assert "betas" not in state["optimizer_states"][0]["param_groups"][0]
    assert "averaging_state" not in state


@pytest.mark.parametrize(
    ("assignment", "code", "complaint"),
    [
        ("optimizer.lr", 2, "--set optimizer.lr: expected SETTING=VALUE"),
        ("optimizer.speed=1", 1, "the recipe has no setting 'optimizer.speed': did you mean"),
        ("optimizer.lr=much", 1, "does not take these settings: optimizer.lr"),
        ("net.activation=step", 1, "lenet5 cannot be built with these settings: net.activation"),
        ("loss.kind=binary_cross_entropy", 1, "loss.kind binary_cross_entropy is for two classes, not 10"),
    ],
)
def test_refuses_settings_by_name(idx_dir: Path, tmp_path: Path, assignment: str, code: int, complaint: str) -> None:
    """A setting that there is not, or a value that it does not take, is told in one line."""
    result = train(idx_dir, tmp_path / "out", "--set", assignment)
    assert result.exit_code == code
    assert complaint in result.output
    assert "Traceback" not in result.output


def test_refuses_corrupt_pictures_before_anything_is_lost(flowers: Path, tmp_path: Path) -> None:
    """A picture that cannot be read ends the command before an older run is replaced; told so, it is left out."""
    out = tmp_path / "out"
    assert train(flowers, out).exit_code == 0
    corrupt = next((flowers / "train" / "rose").iterdir())
    corrupt.write_bytes(b"damaged")
    refused = train(flowers, out, "--overwrite")
    assert refused.exit_code == 1
    assert f"{corrupt}: the image is in none of the formats" in refused.output
    assert "--skip-corrupt leaves them out" in refused.output
    assert run.is_finished(out)
    skipped = train(flowers, out, "--overwrite", "--skip-corrupt")
    assert skipped.exit_code == 0
    assert "left out 1 of 44 pictures, which cannot be read:" in skipped.output
    assert str(corrupt) in skipped.output
    assert "39 examples to train on" in skipped.output


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A folder of pictures of two classes that differ, 40 to train on and 4 to test on."""
    random = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 2)):
        for brightness, label in ((60, "rose"), (180, "tulip")):
            folder = tmp_path / "flowers" / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels_HW = random.integers(brightness, brightness + 60, (20, 24), dtype=np.uint8)
                Image.fromarray(pixels_HW).save(folder / f"{number}.png")
    return tmp_path / "flowers"


@pytest.mark.parametrize("option", [("--epochs", 0), ("--batch-size", 0), ("--seed", -1), ("--seed", 2**32)])
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
