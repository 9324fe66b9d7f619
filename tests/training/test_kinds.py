"""Trainings on what is no picture: sentences, and rows of a table.

Legend: N examples, T words, F columns, K classes.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hondo import text
from tests.training.conftest import cut_off, hondo
from training import run
from training.columns import Columns
from training.data.choice import choose
from training.recipe import find

SMALL = {
    "net.dimensions": 8,
    "net.filters": 6,
    "net.dropout": 0.1,
    "input.length": 6,
    "batch_size": 16,
    "optimizer.kind": "adam",
    "optimizer.lr": 0.02,
    "optimizer.weight_decay": 0,
    "average.kind": "none",
}
SETTINGS = [part for path, value in SMALL.items() for part in ("--set", f"{path}={value}")]


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of short texts whose words tell their class, some shorter than any filter, one without a word."""
    path = tmp_path_factory.mktemp("mails") / "mails.tsv"
    words = {"ham": ("meet", "noon", "lunch", "office"), "spam": ("win", "prize", "cash", "now")}
    random = np.random.default_rng(0)
    lines = [
        f"{label}\t{' '.join(random.choice(words[label], random.integers(1, 9)))} !"
        for label in words
        for _ in range(60)
    ]
    path.write_text("\n".join([*lines, "spam\t..."]) + "\n")
    return path


def train_texts(mails: Path, out: Path, *options: object) -> None:
    few = ("--epochs", 15, "--accelerator", "cpu")
    result = hondo("train", "textcnn-trec", "--data", mails, "--out", out, *few, *SETTINGS, *options)
    assert result.exit_code == 0, result.output
    assert "left out 1 of 121 texts, without a word" in result.output


def test_learns_from_texts(mails: Path, tmp_path: Path) -> None:
    """A net of sentences learns what their words say; its run has the vocabulary, and samples are word ids."""
    train_texts(mails, tmp_path)
    loaded = run.load(tmp_path)
    assert tuple(loaded.task.labels) == ("ham", "spam")
    assert set(loaded.task.text.vocabulary) <= {
        *text.SPECIAL,
        "!",
        *("meet", "noon", "lunch", "office", "win", "prize", "cash", "now"),
    }
    assert loaded.samples.inputs.shape == (12, 6)
    assert loaded.samples.inputs.dtype == np.int64
    assert isinstance(loaded.front, nn.Identity)
    (score,) = loaded.scores
    assert score.value < 10
    assert (score.data, score.samples) == ("mails test", 12)


def test_learns_from_rows(tmp_path: Path) -> None:
    """Without any data given, the perceptron learns the rule that made the students, as well as it can be told."""
    result = hondo("train", "student-pass", "--out", tmp_path, "--epochs", 10, "--accelerator", "cpu")
    assert result.exit_code == 0, result.output
    assert "data   students: synthetic" in result.output
    assert "made for" not in result.output
    loaded = run.load(tmp_path)
    assert tuple(loaded.task.table.columns) == ("hours_studied", "hours_slept")
    (score,) = loaded.scores
    assert score.value < 10
    assert isinstance(loaded.front, Columns)
    weight_F = loaded.net.get_parameter("output.weight").detach()[0] / loaded.front.std_F
    assert (weight_F[0] / weight_F[1]).item() == pytest.approx(1.5, rel=0.2)


def test_columns_are_measured_on_what_is_trained_on(tmp_path: Path) -> None:
    """The front knows mean and deviation of the rows that are trained on, of neither validation nor test."""
    settings = ("--epochs", 1, "--accelerator", "cpu", "--set", "validation=0.5")
    assert hondo("train", "student-pass", "--out", tmp_path, *settings).exit_code == 0
    front = run.load(tmp_path).front
    assert isinstance(front, Columns)
    recipe = find("student-pass")
    data = choose(None, recipe)
    values_NF = data.train.fit(data.task(recipe.input)).inputs
    assert not np.allclose(front.mean_F, values_NF.mean(0), rtol=1e-4)
    np.testing.assert_allclose(front.mean_F, values_NF.mean(0), rtol=0.1)


@pytest.mark.parametrize("model", ["textcnn-trec", "student-pass"])
def test_resumed_run_ends_like_an_uninterrupted_one(
    model: str, mails: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts and rows are resumed like pictures: the same weights at the end, to the bit."""
    chosen = ["--data", mails, *SETTINGS] if model == "textcnn-trec" else []
    command = ["train", model, *chosen, "--epochs", 3, "--accelerator", "cpu"]
    assert hondo(*command, "--out", tmp_path / "whole").exit_code == 0
    with monkeypatch.context() as patched:
        cut_off(patched, after_epochs=1, by=MemoryError())
        assert isinstance(hondo(*command, "--out", tmp_path / "cut").exception, MemoryError)
    assert hondo(*command, "--out", tmp_path / "cut", "--resume").exit_code == 0
    whole, cut = (
        torch.load(run.checkpoint_path(tmp_path / name, run.BEST), weights_only=True)["state_dict"]
        for name in ("whole", "cut")
    )
    torch.testing.assert_close(cut, whole, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("model", "data", "complaint"),
    [
        ("lenet5", "students", "students has rows of a table, but the model takes pictures"),
        ("student-pass", "digits", "digits has pictures, but the model takes rows of a table"),
        ("textcnn-mr", "digits", "digits has pictures, but the model takes sentences"),
    ],
)
def test_refuses_data_of_another_kind(model: str, data: str, complaint: str, tmp_path: Path) -> None:
    """A model is not trained on what it does not take."""
    result = hondo("train", model, "--data", data, "--out", tmp_path)
    assert result.exit_code == 1
    assert complaint in result.output
