"""A user's own table: CSV files with a line of names, columns of numbers, and a column that says the class.

Legend: N rows, F columns of numbers.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from hondo import artifact
from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource
from training.data import own
from training.data.dataset import DataSet, Rows
from training.data.folds import divide

_TRAIN: Final = "train.csv"
_TEST: Final = "test.csv"
_LABEL: Final = "label"
LOOKED_FOR: Final = (
    f"your own table: {_TRAIN} and {_TEST}, or a FILE.csv, with the columns' names, then numbers; the class is in the "
    f"column named {_LABEL}, or in the last one"
)
_FAULTS_SHOWN: Final = 10
# A file may have any of these between its cells, by what is most often in its first line.
_PARTINGS: Final = ",;\t"


def recognises(place: Path) -> bool:
    """Tells whether a folder has tables in this form, or whether a file is one."""
    return (place / _TRAIN).is_file() or (place / _TEST).is_file() or (place.suffix == ".csv" and place.is_file())


def read(place: Path) -> DataSet[Rows]:
    """Reads the table; without a test.csv, the first of ten folds is for the test.

    Args:
        place: the folder, or the only file.

    Raises:
        MissingData: a file is missing or is no such table; a cell is empty or no number. The text says in which line.
    """
    train_path = place if place.is_file() else place / _TRAIN
    test_path = place / _TEST
    if not train_path.is_file():
        raise MissingData(f"{train_path} is missing. Expected: {LOOKED_FOR}")
    table = _read(train_path)
    labels = own.classes(train_path, table.labels)
    train = _rows(table, labels)
    if not test_path.is_file():
        return divide(_source(place, train_path), tuple(labels), train)
    test = _read(test_path)
    if test.columns != table.columns:
        raise MissingData(f"{test_path} has the columns {', '.join(test.columns)}, not {', '.join(table.columns)}")
    if foreign := sorted(set(test.labels) - set(labels)):
        raise MissingData(f"{test_path}: there is no {', '.join(foreign)} to train on")
    return DataSet(_source(place, train_path, test_path), tuple(labels), train, _rows(test, labels))


@dataclass(frozen=True, slots=True)
class _Table:
    """A file as it is: its columns of numbers, their values, and the label of each row."""

    columns: tuple[str, ...]
    values: list[list[float]]
    labels: list[str]


def _rows(table: _Table, labels: Mapping[str, int]) -> Rows:
    labels_N = np.array([labels[label] for label in table.labels], np.int64)
    return Rows(table.columns, np.array(table.values, np.float32), labels_N)


def _read(path: Path) -> _Table:
    lines = _lines(path)
    if len(lines) < 2:
        raise MissingData(f"{path} has no rows: a line with the columns' names and one for each example are expected")
    names = _names(path, lines[0][1])
    lowered = [name.lower() for name in names]
    label = lowered.index(_LABEL) if _LABEL in lowered else len(names) - 1
    columns = [column for column in range(len(names)) if column != label]
    if faults := [fault for number, cells in lines[1:] if (fault := _fault(number, cells, names, label))]:
        more = f"\n... and {len(faults) - _FAULTS_SHOWN:,} more lines" if len(faults) > _FAULTS_SHOWN else ""
        raise MissingData(f"{path} cannot be trained on:\n" + "\n".join(faults[:_FAULTS_SHOWN]) + more)
    return _Table(
        columns=tuple(names[column] for column in columns),
        values=[[float(cells[column]) for column in columns] for _, cells in lines[1:]],
        labels=[cells[label] for _, cells in lines[1:]],
    )


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Gives the cells of each line that is not blank, with its number from 1."""
    try:
        content = path.read_bytes().decode("utf-8-sig")
        parting = max(_PARTINGS, key=content.partition("\n")[0].count)
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=parting, strict=True)
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(map(str.strip, cells))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MissingData(f"{path} cannot be read as CSV in UTF-8: {error}") from error


def _names(path: Path, names: Sequence[str]) -> Sequence[str]:
    if len(names) < 2:
        raise MissingData(f"{path} has one column: at least one of numbers and one of labels are expected")
    if all(map(_is_number, names)):
        raise MissingData(f"{path} begins with numbers: its first line has to name the columns")
    if "" in names or len(set(names)) < len(names):
        raise MissingData(f"{path}: each column needs a name of its own, not {', '.join(map(repr, names))}")
    return names


def _fault(number: int, cells: Sequence[str], names: Sequence[str], label: int) -> str:
    """Says what is wrong with a line; nothing where nothing is."""
    if len(cells) != len(names):
        return f"line {number}: {len(cells)} cells, but {len(names)} columns"
    if not cells[label]:
        return f"line {number}: no {names[label]}"
    wrong = [column for column, cell in enumerate(cells) if column != label and not _is_number(cell)]
    said = ", ".join(f"{names[column]} is {cells[column] or 'empty'}" for column in wrong)
    return f"line {number}: {said}, not a number" if wrong else ""


def _is_number(cell: str) -> bool:
    """Tells whether a cell is a finite number, as float32 has it."""
    try:
        with np.errstate(over="ignore"):
            return math.isfinite(np.float32(float(cell)))
    except ValueError:
        return False


def _source(place: Path, *paths: Path) -> DataSource:
    return own.source(place, {path.name: artifact.sha256(path) for path in paths})
