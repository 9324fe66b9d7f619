from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hondo.errors import MissingData
from tests.training.conftest import TRAIN_PICTURES
from training.data import fashion_mnist
from training.data.choice import better, choose, read
from training.data.dataset import PictureFiles, Rows, Sentences
from training.recipe import find

LENET5 = find("lenet5")


def test_takes_digits_where_nothing_else_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a folder, and without Debian's Fashion-MNIST, it is scikit-learn's digits."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "absent")
    assert choose(None, LENET5).name == "digits"


def test_takes_debians_fashion_mnist(monkeypatch: pytest.MonkeyPatch, idx_dir: Path) -> None:
    """Without a folder, what Debian's package installed comes before the digits."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", idx_dir)
    assert len(choose(None, LENET5).train) == TRAIN_PICTURES


def test_takes_digits_by_name(monkeypatch: pytest.MonkeyPatch, idx_dir: Path) -> None:
    """The word "digits" asks for the digits, whatever is installed."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", idx_dir)
    assert choose("digits", LENET5).name == "digits"


@pytest.mark.parametrize("model", ["textcnn-trec", "textcnn-mr", "resnet20-cifar10", "resnet18"])
def test_says_what_a_model_needs(model: str, monkeypatch: pytest.MonkeyPatch, idx_dir: Path) -> None:
    """Where the machine has nothing for a model, the text says what it is made for, and where that is to be had."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", idx_dir)
    with pytest.raises(MissingData, match=r"^--data FOLDER with .*(from|in) "):
        choose(None, find(model))


def test_misses_a_place_that_is_not_there(tmp_path: Path) -> None:
    """A folder that does not exist is named, with what the model is made for."""
    with pytest.raises(MissingData, match=r"there is no .*absent\nlenet5 is made for mnist: --data FOLDER with mnist"):
        choose(str(tmp_path / "absent"), LENET5)


def test_lists_what_it_looked_for(tmp_path: Path) -> None:
    """A folder without anything that is known is answered with all that was looked for."""
    with pytest.raises(MissingData) as caught:
        choose(str(tmp_path), LENET5)
    for name in (
        "train-images-idx3-ubyte",
        "data_batch_1.bin",
        "train_5500.label",
        "rt-polarity.neg",
        "stsa.fine.train",
    ):
        assert name in str(caught.value)
    for name in ("train.tsv", "CLASS/*.jpg", "train.csv"):
        assert name in str(caught.value)


def test_recognises_each_form(idx_dir: Path, tmp_path: Path) -> None:
    """What a place holds tells what it is."""
    assert read(str(idx_dir)).name == "idx"
    for label in ("cat", "dog"):
        for number in range(2):
            (tmp_path / "pictures" / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "pictures" / label / f"{number}.png")
    pictures = read(str(tmp_path / "pictures"))
    assert isinstance(pictures.train, PictureFiles)
    (tmp_path / "texts.tsv").write_text("a\tx\na\ty\nb\tx\nb\ty\n")
    assert isinstance(read(str(tmp_path / "texts.tsv")).train, Sentences)
    (tmp_path / "rows.csv").write_text("x,label\n1,a\n2,a\n3,b\n4,b\n")
    assert isinstance(read(str(tmp_path / "rows.csv")).train, Rows)
    assert isinstance(read("students").train, Rows)


def test_faults_of_a_data_set_are_told_alone(tmp_path: Path) -> None:
    """Where a user's own data are at fault, nothing is said of where others are to be had."""
    (tmp_path / "train.tsv").write_text("no tab\n")
    with pytest.raises(MissingData) as caught:
        choose(str(tmp_path), find("textcnn-trec"))
    assert "line 1: expected a label" in str(caught.value)
    assert "made for" not in str(caught.value)


def test_hints_at_the_data_that_a_model_is_made_for(idx_dir: Path) -> None:
    """Other data than a recipe was made for are named beside those; models for any pictures have no such hint."""
    data = read(str(idx_dir))
    hint = better(LENET5, data)
    assert hint is not None
    assert "made for mnist: --data FOLDER with mnist, from https://" in hint
    assert better(find("resnet18"), data) is None
    assert better(find("student-pass"), read("students")) is None


@pytest.mark.data
def test_knows_mnist(data_dir: Path) -> None:
    """The official MNIST is told by its hashes."""
    data = choose(str(data_dir / "mnist"), LENET5)
    assert data.name == "mnist"
    assert data.labels == tuple("0123456789")
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
