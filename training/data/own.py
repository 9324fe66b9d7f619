"""What data sets of a user's own share: they are named by their place, and their classes by whatever the labels say."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource


def source(place: Path, sha256: Mapping[str, str]) -> DataSource:
    """Says where a data set is from: the folder or the file that the user gave."""
    whole = place.resolve()
    return DataSource(
        name=whole.stem if whole.is_file() else whole.name,
        origin=str(whole),
        terms="unknown",
        sha256=sha256,
    )


def classes(place: Path, labels: Iterable[str]) -> Mapping[str, int]:
    """Gives the class of each label: in the order of the numbers where all are whole numbers, else of the alphabet.

    Raises:
        MissingData: there are not even two labels.
    """
    found = set(labels)
    if len(found) < 2:
        raise MissingData(f"{place} has {' and '.join(found) or 'no label'} alone: at least two classes are needed")
    are_numbers = all(label.isdecimal() for label in found)
    ordered = sorted(found, key=lambda label: (int(label) if are_numbers else 0, label))
    return {label: number for number, label in enumerate(ordered)}
