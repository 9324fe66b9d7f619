from pathlib import Path

import pytest

from hondo.errors import MissingData
from training.data import tsv

TRAIN = "label\ttext\nspam\twin a prize\nham\tsee you at\tnoon\nspam\t...\nham\tfine\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Train and test, as a spreadsheet on Windows writes them."""
    (tmp_path / "train.tsv").write_bytes(b"\xef\xbb\xbf" + TRAIN.replace("\n", "\r\n").encode())
    (tmp_path / "test.tsv").write_text("spam\ta prize\n")
    return tmp_path


def test_reads_train_and_test(folder: Path) -> None:
    """The first tab ends the label; the columns' names are no example; a text without a word is left out, and told."""
    data = tsv.read(folder)
    assert data.labels == ("ham", "spam")
    assert data.train.texts == ("win a prize", "see you at\tnoon", "fine")
    assert data.train.labels_N.tolist() == [1, 0, 0]
    assert data.test.texts == ("a prize",)
    assert data.whole is None
    assert data.notes == (
        "train.tsv: left out 1 of 4 texts, without a word or with more than 100,000 characters (line 4)",
    )


def test_is_named_by_its_place(folder: Path) -> None:
    """The source is the folder, with the hashes of both files."""
    source = tsv.read(folder).source
    assert (source.name, source.origin) == (folder.name, str(folder))
    assert set(source.sha256) == {"train.tsv", "test.tsv"}


def test_parts_what_nobody_parted(tmp_path: Path) -> None:
    """Without a test file, a tenth of each class is for the test; a single file will do."""
    path = tmp_path / "mails.tsv"
    path.write_text("".join(f"{label}\t{label} number {number}\n" for label in ("a", "b") for number in range(30)))
    data = tsv.read(path)
    assert data.whole is not None
    assert data.name == "mails"
    assert (len(data.train), len(data.test), len(data.whole)) == (54, 6, 60)
    path.rename(tmp_path / "train.tsv")
    assert tsv.read(tmp_path).test.texts == data.test.texts


def test_refuses_a_label_of_the_test_alone(folder: Path) -> None:
    """A class that cannot be learnt is refused by its line."""
    (folder / "test.tsv").write_text("spam\ta prize\neggs\tfried\n")
    with pytest.raises(MissingData, match=r"test\.tsv, line 2: the label 'eggs' is none of ham, spam"):
        tsv.read(folder)


def test_refuses_a_class_of_one(tmp_path: Path) -> None:
    """A class that cannot be in both parts is named."""
    (tmp_path / "train.tsv").write_text("a\tx\na\ty\nb\tz\n")
    with pytest.raises(MissingData, match="no two examples of b;"):
        tsv.read(tmp_path)


def test_refuses_a_single_class(tmp_path: Path) -> None:
    """There is nothing to tell apart in one class."""
    (tmp_path / "train.tsv").write_text("a\tx\na\ty\n")
    with pytest.raises(MissingData, match=r"train\.tsv has a alone: at least two classes"):
        tsv.read(tmp_path)


def test_misses_the_training_part(folder: Path) -> None:
    """A test file alone is not enough."""
    (folder / "train.tsv").unlink()
    with pytest.raises(MissingData, match=r"train\.tsv is missing\. Expected: your own texts"):
        tsv.read(folder)
