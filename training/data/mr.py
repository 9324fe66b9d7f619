"""Movie reviews: Pang and Lee 2005, 5,331 sentences that praise a film and 5,331 that do not.

Nobody gave a part to test on: papers report the mean over ten folds, which `hondo cross-validate` measures.
"""

from pathlib import Path
from typing import Final

from hondo import artifact
from training.data.dataset import DataSet, Sentences
from training.data.folds import divide
from training.data.publication import Publication
from training.data.sentences import Line, Part, gather, join, read_lines

MR: Final = Publication(
    name="mr",
    origin="sentence polarity data set v1.0, Pang, Lee 2005, https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    terms="no licence stated; given for research, cite Pang and Lee 2005",
    where="https://www.cs.cornell.edu/people/pabo/movie-review-data/: sentence polarity data set v1.0, unpacked",
    labels=("negative", "positive"),
    sha256={
        "rt-polarity.neg": "4ace77d558c3714723843f1d65b60c01e3417b208180f0728808d76ad0eeeaca",
        "rt-polarity.pos": "2da124ec187a9d5a29c9f04e91c540e02baed5af8868f550a26bd6fd4dbf8bf0",
    },
)
_NAMES: Final = tuple(MR.sha256)
LOOKED_FOR: Final = f"MR: {' and '.join(_NAMES)}"


def recognises(folder: Path) -> bool:
    """Tells whether a folder holds the movie reviews."""
    return any((folder / name).is_file() for name in _NAMES)


def read(folder: Path) -> DataSet[Sentences]:
    """Reads the movie reviews; the first of ten folds is for the test.

    Raises:
        MissingData: a file is missing or damaged.
    """
    paths = MR.paths(folder, _NAMES)
    whole = join([_part(path, label) for path, label in zip(paths, MR.labels, strict=True)])
    source = MR.source(folder, {path.name: artifact.sha256(path) for path in paths})
    return divide(source, MR.labels, whole.sentences, whole.notes)


def _part(path: Path, label: str) -> Part:
    labels = {name: number for number, name in enumerate(MR.labels)}
    return gather(path, [Line(number, label, line) for number, line in read_lines(path, "cp1252")], labels)
