from pathlib import Path

import numpy as np
import pytest

from hondo.errors import MissingData
from training.data import mr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty sentences of each kind, one of them with a sign that only cp1252 has."""
    for kind, extra in (("neg", b"dull \x85 and long"), ("pos", b"a caf\xe9 well lit")):
        lines = [extra, *(f"{kind} number {number}".encode() for number in range(19))]
        (tmp_path / f"rt-polarity.{kind}").write_bytes(b"\n".join(lines) + b"\n")
    return tmp_path


def test_keeps_a_tenth_of_each_class(folder: Path) -> None:
    """Nobody parted the reviews: a tenth of each class is for the test, and all of them are there for other folds."""
    data = mr.read(folder)
    assert data.whole is not None
    assert data.labels == ("negative", "positive")
    assert (len(data.train), len(data.test), len(data.whole)) == (36, 4, 40)
    assert np.bincount(data.test.labels_N).tolist() == [2, 2]
    assert sorted((*data.train.texts, *data.test.texts)) == sorted(data.whole.texts)


def test_reads_cp1252(folder: Path) -> None:
    """The files are neither UTF-8 nor Latin-1."""
    whole = mr.read(folder).whole
    assert whole is not None
    assert "dull … and long" in whole.texts
    assert "a café well lit" in whole.texts


def test_names_the_missing_file(folder: Path) -> None:
    """A missing file is named, with where it is to be had."""
    (folder / "rt-polarity.neg").unlink()
    with pytest.raises(MissingData, match=r"rt-polarity\.neg missing.*had from https://"):
        mr.read(folder)


@pytest.mark.data
def test_knows_the_published_files(data_dir: Path) -> None:
    """The real set is told by its hashes, and has 5,331 sentences of each kind, in each of ten equal parts."""
    data = mr.read(data_dir / "text" / "mr")
    assert data.whole is not None
    assert data.name == "mr"
    assert data.notes == ()
    assert np.bincount(data.whole.labels_N).tolist() == [5331, 5331]
    assert len(data.test) == 1067
