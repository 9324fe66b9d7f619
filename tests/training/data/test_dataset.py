"""Legend: N examples, H height, W width, C channels, T words, F columns."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hondo import images, text
from hondo.errors import InvalidRequest, MissingData
from protos.manifest_pb2 import Classification, DataSource, ImageInput
from training import inputs
from training.data.dataset import DataSet, Examples, PictureFiles, Pictures, Raw, Rows, Sentences, image


def task(side: int, channels: int = 1) -> Classification:
    spec = ImageInput(height=side, width=side, channels=channels, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR)
    return Classification(image=spec)


def some(side: int, channels: int = 1) -> Pictures:
    random = np.random.default_rng(0)
    return Pictures(random.integers(0, 256, (6, side, side, channels), dtype=np.uint8), np.arange(6))


SENTENCES = Sentences(("A bad, bad film!", "so bad", "a fine film"), np.array([0, 0, 1]))
ROWS = Rows(("hours", "age"), np.array([[1, 20], [2, 30], [3, 40]], np.float32), np.array([0, 1, 1]))


def dataset(train: Raw, test: Raw | None = None) -> DataSet[Raw]:
    return DataSet(DataSource(name="some"), ("no", "yes"), train, train if test is None else test)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_the_right_size_stay_as_they_are(channels: int) -> None:
    """Fitting to the size that pictures have changes no byte."""
    pictures = some(28, channels)
    np.testing.assert_array_equal(pictures.fit(task(28, channels)).inputs, pictures.images_NHWC)


def test_fits_as_serving_does() -> None:
    """Pictures of another size are brought to the recipe's by the code that serves."""
    pictures = some(8)
    fitted = pictures.fit(task(28))
    assert fitted.inputs.shape == (6, 28, 28, 1)
    np.testing.assert_array_equal(fitted.inputs[2], images.fit(image(pictures.images_NHWC[2]), task(28).image))
    assert fitted.labels_N.tolist() == pictures.labels_N.tolist()


def test_encodes_sentences_as_serving_does() -> None:
    """Each sentence becomes the ids of its words, by the code that serves."""
    settings = inputs.Text(length=4)
    data = dataset(SENTENCES)
    made = data.task(settings)
    ids = text.index(made.text.vocabulary)
    fitted = SENTENCES.fit(made)
    assert fitted.inputs.dtype == np.int64
    for tokens_T, sentence in zip(fitted.inputs, SENTENCES.texts, strict=True):
        np.testing.assert_array_equal(tokens_T, text.encode(sentence, ids, 4))


def test_vocabulary_has_frequent_words_first() -> None:
    """The special words come first, then the most frequent, then by alphabet; rare ones are left out."""
    assert SENTENCES.vocabulary(1) == [*text.SPECIAL, "bad", "a", "film", "!", ",", "fine", "so"]
    assert SENTENCES.vocabulary(2) == [*text.SPECIAL, "bad", "a", "film"]


def test_vocabulary_knows_nothing_of_the_test() -> None:
    """The words of a task are those of the examples to train on."""
    other = Sentences(("unheard of",), np.array([0]))
    assert "unheard" not in dataset(SENTENCES, other).task(inputs.Text(length=4)).text.vocabulary


def test_rows_stay_as_they_are() -> None:
    """Columns keep their names and order, values their bits."""
    made = dataset(ROWS).task(inputs.Table())
    assert tuple(made.table.columns) == ROWS.columns
    np.testing.assert_array_equal(ROWS.fit(made).inputs, ROWS.values_NF)


@pytest.mark.parametrize("examples", [some(4).take(np.arange(3)), SENTENCES, ROWS], ids=["pictures", "texts", "rows"])
def test_takes_examples_with_their_labels(examples: Pictures | Sentences | Rows) -> None:
    """A selection keeps each example beside its label."""
    taken = examples.take(np.array([2, 1]))
    assert type(taken) is type(examples)
    assert taken.labels_N.tolist() == examples.labels_N[[2, 1]].tolist()
    assert _first(taken) == _first(examples.take(np.array([2])))


def _first(examples: Raw) -> object:
    match examples:
        case Pictures():
            return examples.images_NHWC[0].tolist()
        case PictureFiles():
            return examples.paths[0]
        case Sentences():
            return examples.texts[0]
        case Rows():
            return (examples.columns, examples.values_NF[0].tolist())


@pytest.mark.parametrize(
    "make",
    [
        lambda labels_N: Pictures(some(4).images_NHWC, labels_N),
        lambda labels_N: PictureFiles((Path("a.png"),) * 6, labels_N),
        lambda labels_N: Sentences(("a",) * 6, labels_N),
        lambda labels_N: Rows(("x",), np.zeros((6, 1), np.float32), labels_N),
        lambda labels_N: Examples(np.zeros((6, 1)), labels_N),
    ],
)
def test_every_example_has_a_label(make: Callable[[NDArray[np.int64]], object]) -> None:
    """Other numbers of labels than of examples are refused."""
    with pytest.raises(ValueError, match="6 examples have 5 labels"):
        make(np.arange(5))


@pytest.mark.parametrize(
    ("examples", "settings", "text"),
    [
        (SENTENCES, inputs.Table(), "some has sentences, but the model takes rows of a table"),
        (ROWS, inputs.Text(length=3), "some has rows of a table, but the model takes sentences"),
        (some(4), inputs.Text(length=3), "some has pictures, but the model takes sentences"),
        (PictureFiles((), np.arange(0)), inputs.Table(), "some has pictures, but the model takes rows of a table"),
    ],
)
def test_refuses_a_net_for_something_else(examples: Raw, settings: inputs.Text | inputs.Table, text: str) -> None:
    """A net that takes another kind of example than the data set has is refused, in words for both."""
    with pytest.raises(InvalidRequest, match=text):
        dataset(examples).task(settings)


def test_fit_tells_the_faults_of_both_parts(tmp_path: Path) -> None:
    """Files that cannot be read are named, those to test on as well as those to train on."""
    train, test = (PictureFiles((tmp_path / name,), np.array([0])) for name in ("lost.png", "gone.png"))
    with pytest.raises(MissingData, match=r"(?s)lost\.png: .*gone\.png: "):
        dataset(train, test).fit(task(4))
