"""A user's own texts: train.tsv and test.tsv, or one file, with a label, a tab and a text on each line."""

from pathlib import Path
from typing import Final

from hondo import artifact
from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource
from training.data import own
from training.data.dataset import DataSet, Sentences
from training.data.folds import divide
from training.data.sentences import Line, gather, read_labelled

_TRAIN: Final = "train.tsv"
_TEST: Final = "test.tsv"
LOOKED_FOR: Final = f"your own texts: {_TRAIN} and {_TEST}, or a FILE.tsv, with LABEL<TAB>TEXT on each line"


def recognises(place: Path) -> bool:
    """Tells whether a folder has texts in this form, or whether a file is one."""
    return (place / _TRAIN).is_file() or (place / _TEST).is_file() or (place.suffix == ".tsv" and place.is_file())


def read(place: Path) -> DataSet[Sentences]:
    """Reads the texts; without a test.tsv, the first of ten folds is for the test.

    Args:
        place: the folder, or the only file.

    Raises:
        MissingData: a file is missing, no UTF-8, or has a line without a label.
    """
    train_path = place if place.is_file() else place / _TRAIN
    test_path = place / _TEST
    if not train_path.is_file():
        raise MissingData(f"{train_path} is missing. Expected: {LOOKED_FOR}")
    lines = _lines(train_path)
    labels = own.classes(train_path, (line.label for line in lines))
    train = gather(train_path, lines, labels)
    if not test_path.is_file():
        return divide(_source(place, train_path), tuple(labels), train.sentences, train.notes)
    test = gather(test_path, _lines(test_path), labels)
    source = _source(place, train_path, test_path)
    return DataSet(source, tuple(labels), train.sentences, test.sentences, notes=train.notes + test.notes)


def _lines(path: Path) -> list[Line]:
    """Gives the lines but the one that names the columns, if any."""
    lines = read_labelled(path, "utf-8-sig", "\t")
    has_header = bool(lines) and (lines[0].label.lower(), lines[0].text.lower()) == ("label", "text")
    return lines[has_header:]


def _source(place: Path, *paths: Path) -> DataSource:
    return own.source(place, {path.name: artifact.sha256(path) for path in paths})
