"""The names of an imported classifier's classes: a file of one a line, or ImageNet's."""

from importlib import resources
from pathlib import Path
from typing import Final

from hondo.errors import InvalidRequest

IMAGENET_CLASSES: Final = 1000


def imagenet() -> tuple[str, ...]:
    """Gives the 1,000 classes of ImageNet's challenge of 2012, in the order of their WordNet ids."""
    lines = resources.files("export.imports").joinpath("imagenet.txt").read_text("utf-8").splitlines()
    return tuple(line.partition(" ")[2] for line in lines if not line.startswith("#"))


def read(path: Path) -> tuple[str, ...]:
    """Reads a file with the name of one class a line, in the order of the probabilities.

    Raises:
        InvalidRequest: it is no such file, a line is empty, or two names are the same.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"--labels {path} cannot be read: {error}") from error
    labels = tuple(line.strip() for line in lines)
    for number, label in enumerate(labels, 1):
        if not label:
            raise InvalidRequest(f"--labels {path}: line {number} is empty, the name of a class was expected")
        if (first := labels.index(label) + 1) < number:
            raise InvalidRequest(f"--labels {path}: lines {first} and {number} are both {label!r}")
    return labels


def choose(path: Path | None, classes: int) -> tuple[str, ...]:
    """Gives the names of so many classes: from the file, or ImageNet's where there are 1,000 and no file.

    Raises:
        InvalidRequest: the file has another number of names, or there is no file and not 1,000 classes.
    """
    if path is None:
        if classes != IMAGENET_CLASSES:
            raise InvalidRequest(f"the model has {classes} classes: name them in a file, one a line, with --labels")
        return imagenet()
    labels = read(path)
    if len(labels) != classes:
        raise InvalidRequest(f"--labels {path} has {len(labels)} names, but the model has {classes} classes")
    return labels
