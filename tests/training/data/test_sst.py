import shutil
from collections import Counter
from pathlib import Path

import pytest

from hondo.errors import MissingData
from training.data import sst


def write(folder: Path, kind: str) -> None:
    for part, line in {"train": "0 dull .", "dev": "1 a café , well lit", "test": "1 fine"}.items():
        (folder / f"stsa.{kind}.{part}").write_text(f"{line}\n", "utf-8")


def test_joins_train_and_dev(tmp_path: Path) -> None:
    """A training keeps its own share to validate with, so the published dev part is trained on."""
    write(tmp_path, "binary")
    data = sst.read(tmp_path)
    assert data.train.texts == ("dull .", "a café , well lit")
    assert [data.labels[label] for label in data.train.labels_N] == ["negative", "positive"]
    assert data.test.texts == ("fine",)
    assert set(data.source.sha256) == {"stsa.binary.train", "stsa.binary.dev", "stsa.binary.test"}


def test_labels_are_those_of_the_classes(tmp_path: Path) -> None:
    """In five classes, 1 is negative, not positive."""
    write(tmp_path, "fine")
    data = sst.read(tmp_path)
    assert data.labels[data.test.labels_N[0]] == "negative"


def test_a_file_says_which(tmp_path: Path) -> None:
    """Where both are, the text asks for one of the files, and each of them says which is meant."""
    write(tmp_path, "fine")
    write(tmp_path, "binary")
    with pytest.raises(MissingData, match=r"say which, --data .*stsa\.fine\.train or --data .*stsa\.binary\.train"):
        sst.read(tmp_path)
    assert len(sst.read(tmp_path / "stsa.fine.dev").labels) == 5
    assert len(sst.read(tmp_path / "stsa.binary.train").labels) == 2


def test_names_the_missing_file(tmp_path: Path) -> None:
    """A missing file is named."""
    write(tmp_path, "fine")
    (tmp_path / "stsa.fine.dev").unlink()
    with pytest.raises(MissingData, match=r"stsa\.fine\.dev missing"):
        sst.read(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("kind", "train", "test"),
    [
        (
            "fine",
            {"positive": 2322 + 279, "negative": 2218 + 289, "neutral": 1624 + 229}
            | {"very positive": 1288 + 165, "very negative": 1092 + 139},
            2210,
        ),
        ("binary", {"positive": 3610 + 444, "negative": 3310 + 428}, 1821),
    ],
)
def test_knows_the_published_files(data_dir: Path, tmp_path: Path, kind: str, train: dict[str, int], test: int) -> None:
    """The real sets are told by their hashes, and have their counts."""
    for path in (data_dir / "text" / "sst").glob(f"stsa.{kind}.*"):
        shutil.copyfile(path, tmp_path / path.name)
    data = sst.read(tmp_path)
    assert data.name == f"sst-{kind}"
    assert data.notes == ()
    assert Counter(data.labels[label] for label in data.train.labels_N) == train
    assert len(data.test) == test
