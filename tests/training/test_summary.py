from pathlib import Path

import pytest

from tests.training.conftest import hondo
from training import recipe
from training.inputs import Image


def test_shows_a_run(trained: Path) -> None:
    """Of a run folder it shows the net, its source, and the sums."""
    result = hondo("summary", trained)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert "source  LeCun, Bottou, Bengio, Haffner" in result.output
    assert "picture of 28 x 28 x 1, 10 classes" in result.output
    assert ["c1", "Conv2d", "6", "x", "28", "x", "28", "156", "117,600"] in lines
    assert ["in", "all", "61,706", "416,520"] in lines
    assert "weights 0.2 MiB" in result.output


PICTURES = [name for name in recipe.classifiers() if isinstance(recipe.find(name).input, Image)]


@pytest.mark.parametrize("name", PICTURES)
def test_shows_a_model_without_data(name: str) -> None:
    """A model for pictures is shown with ten classes where there is no data."""
    result = hondo("summary", name)
    assert result.exit_code == 0, result.output
    assert ", 10 classes" in result.output
    assert "in all" in result.output


def test_counts_classes_and_words_in_data(tmp_path: Path) -> None:
    """A model for texts is shown for the data that is given, and asks for data where none is."""
    for file in ("train.tsv", "test.tsv"):
        (tmp_path / file).write_text("good\ta fine film\nbad\ta dull film\nso-so\ta film\n", "utf-8")
    result = hondo("summary", "textcnn-mr", "--data", tmp_path)
    assert result.exit_code == 0, result.output
    # Four words, one for what is unknown and one for the padding.
    assert "60 words of a vocabulary of 6, 3 classes" in result.output
    assert "--data FOLDER with mr" in hondo("summary", "textcnn-mr").output


def test_a_run_takes_no_data(trained: Path) -> None:
    """A run knows its data; to give another is a mistake."""
    result = hondo("summary", trained, "--data", "digits")
    assert result.exit_code == 1
    assert "leave out --data" in result.output


def test_unknown_model() -> None:
    """What is neither a model nor a folder is answered with the models that there are."""
    result = hondo("summary", "lenet6")
    assert result.exit_code == 1
    assert "no model is named 'lenet6' here (did you mean lenet5?)" in result.output
