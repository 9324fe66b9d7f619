"""TREC questions by what they ask for: Li and Roth 2002, 5,452 to train on and 500 to test on, six classes.

Read as published (`COARSE:fine question`, of which the coarse label counts), or as harvardnlp/sent-conv-torch has them
(`0 question`).
"""

from pathlib import Path
from typing import Final

from hondo import artifact
from training.data.dataset import DataSet, Sentences
from training.data.publication import Publication
from training.data.sentences import Line, Part, gather, read_labelled

_TRAIN: Final = "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3"
_TEST: Final = "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e"
TREC: Final = Publication(
    name="trec",
    origin="TREC question classification, Li, Roth 2002, https://cogcomp.seas.upenn.edu/Data/QA/QC/",
    terms="no licence stated; given for research, cite Li and Roth 2002",
    where="https://cogcomp.seas.upenn.edu/Data/QA/QC/: train_5500.label and TREC_10.label",
    labels=("description", "entity", "abbreviation", "person", "location", "number"),
    sha256={
        "train_5500.label": _TRAIN,
        "TREC_10.label": _TEST,
        "TREC.train": _TRAIN,
        "TREC.test": _TEST,
        "TREC.train.all": "c8183fd8c2a5cc4a9a1c56548d7c6410a8b71ed7843df9ef1f0a05cd7cf2fb3e",
        "TREC.test.all": "92a6a3cede5678b447ef5f1d7ec474134fcda211e6590e6fa627b4a2c68e4566",
    },
)
# How the files write the labels.
_CODES: Final = ("DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM")
# Train and test, as published and as others named them; the first pair that is there is read.
_PAIRS: Final = (
    ("train_5500.label", "TREC_10.label"),
    ("TREC.train", "TREC.test"),
    ("TREC.train.all", "TREC.test.all"),
)
LOOKED_FOR: Final = "TREC: " + ", or ".join(" and ".join(pair) for pair in _PAIRS)


def recognises(folder: Path) -> bool:
    """Tells whether a folder holds TREC in one of its forms."""
    return _pair(folder) is not None


def read(folder: Path) -> DataSet[Sentences]:
    """Reads TREC.

    Raises:
        MissingData: a file is missing or damaged.
    """
    paths = TREC.paths(folder, _pair(folder) or _PAIRS[0])
    train, test = (_part(path) for path in paths)
    source = TREC.source(folder, {path.name: artifact.sha256(path) for path in paths})
    return DataSet(source, TREC.labels, train.sentences, test.sentences, notes=train.notes + test.notes)


def _pair(folder: Path) -> tuple[str, str] | None:
    return next((pair for pair in _PAIRS if any((folder / name).is_file() for name in pair)), None)


def _part(path: Path) -> Part:
    labels = {label: number for number, label in enumerate(_CODES)}
    lines = [_coarse(line) for line in read_labelled(path, "latin-1", " ")]
    return gather(path, lines, labels)


def _coarse(line: Line) -> Line:
    """Gives the line with the coarse label's name."""
    label = line.label.partition(":")[0]
    names = {str(number): name for number, name in enumerate(_CODES)}
    return Line(line.number, names.get(label, label), line.text)
