"""Legend: N examples, H height, W width, C channels, K classes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from hondo.errors import InvalidArtifact, MissingData
from tests.training.conftest import TEST_PICTURES
from training import run
from training.data.choice import choose
from training.pixels import Pixels
from training.recipe import find


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """The trained run, to damage."""
    return shutil.copytree(trained, tmp_path / "copy")


def test_loads_all_that_an_export_needs(trained: Path, idx_dir: Path) -> None:
    """A finished run gives back net, front, task, samples, settings, data and score."""
    loaded, recipe = run.load(trained), find("lenet5")
    data = choose(str(idx_dir), recipe)
    assert (loaded.name, loaded.source, loaded.summary) == ("lenet5", recipe.source, recipe.summary)
    assert loaded.task == data.task(recipe.input)
    assert tuple(loaded.task.labels) == data.labels
    assert loaded.data == (data.source,)
    assert loaded.recipe == recipe.changed({"epochs": "4", "batch_size": "64"}).settings()
    assert json.loads(json.dumps(loaded.recipe)) == loaded.recipe
    assert loaded.seed == 0
    assert loaded.parameters == 61_706
    assert {"torch", "lightning"} <= set(loaded.library_versions)
    assert isinstance(loaded.front, Pixels)
    assert loaded.front.bright_on_dark


def test_net_is_ready_to_answer(trained: Path) -> None:
    """The net is in evaluation mode on the CPU and takes what the front gives of the samples."""
    loaded = run.load(trained)
    assert not loaded.net.training
    assert not loaded.front.training
    with torch.inference_mode():
        logits_NK = loaded.net(loaded.front(torch.from_numpy(loaded.samples.inputs)))
    assert logits_NK.shape == (TEST_PICTURES, 10)


def test_samples_are_test_examples(trained: Path, idx_dir: Path) -> None:
    """The samples are examples that the training never saw, with their labels."""
    loaded = run.load(trained)
    test = choose(str(idx_dir), find("lenet5")).test.fit(loaded.task)
    assert loaded.samples.inputs.dtype == np.uint8
    np.testing.assert_array_equal(loaded.samples.inputs, test.inputs)
    np.testing.assert_array_equal(loaded.samples.labels_N, test.labels_N)


def test_score_is_that_of_the_loaded_net(trained: Path) -> None:
    """The test error is what the net of the best checkpoint gets wrong, in percent of the test examples."""
    loaded = run.load(trained)
    wrong_N = run.predict(loaded.front, loaded.net, loaded.samples.inputs) != loaded.samples.labels_N
    (score,) = loaded.scores
    assert (score.metric, score.unit, score.data, score.samples) == ("error", "%", "idx test", TEST_PICTURES)
    assert score.value == pytest.approx(100 * wrong_N.mean())


def test_negatives_get_the_same_answers(trained: Path) -> None:
    """Black ink on white paper is read like white on black."""
    loaded = run.load(trained)
    inputs_NHWC = loaded.samples.inputs
    answers_N = run.predict(loaded.front, loaded.net, inputs_NHWC)
    np.testing.assert_array_equal(run.predict(loaded.front, loaded.net, 255 - inputs_NHWC), answers_N)


@pytest.mark.parametrize("exists", [True, False])
def test_misses_a_finished_training(tmp_path: Path, exists: bool) -> None:
    """A folder without a finished training says how one is made."""
    folder = tmp_path if exists else tmp_path / "absent"
    with pytest.raises(MissingData, match=r"holds no finished training .*hondo train MODEL --out"):
        run.load(folder)


@pytest.mark.parametrize("file", ["checkpoints/best.ckpt", "samples.npz", "results.json"])
@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_refuses_damaged_files(copy: Path, file: str, damage: bytes) -> None:
    """A damaged file is named."""
    (copy / file).write_bytes(damage)
    with pytest.raises(InvalidArtifact, match=Path(file).name):
        run.load(copy)


@pytest.mark.parametrize("file", ["checkpoints/best.ckpt", "samples.npz"])
def test_refuses_a_missing_file(copy: Path, file: str) -> None:
    """A missing file is named."""
    (copy / file).unlink()
    with pytest.raises(InvalidArtifact, match=Path(file).name):
        run.load(copy)


def test_refuses_foreign_checkpoints(copy: Path) -> None:
    """A checkpoint that something else wrote is refused."""
    torch.save({"state_dict": {}}, copy / "checkpoints" / "best.ckpt")
    with pytest.raises(InvalidArtifact, match="no checkpoint that Hondo wrote"):
        run.load(copy)


def test_clears_nothing_but_the_run(copy: Path) -> None:
    """Other files in the folder stay when a run is replaced."""
    (copy / "notes.txt").write_text("mine")
    run.clear(copy)
    assert [path.name for path in copy.iterdir()] == ["notes.txt"]
