"""What was logged of each epoch, read from the run folder's CSV files."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hondo.errors import InvalidArtifact
from training import run

_EPOCH: Final = "epoch"
_STEP: Final = "step"
_LEARNING_RATE: Final = "lr-"

# What Lightning names the learning rate after its optimiser.
LEARNING_RATE: Final = "learning_rate"

# Epoch, from 1, to value, by the figure's name.
History = Mapping[str, Mapping[int, float]]


def read(folder: Path) -> History:
    """Reads all figures of a run, of each part of it where it was resumed; what came later holds.

    Raises:
        InvalidArtifact: there is no log, or it is damaged.
    """
    files = sorted((folder / run.LOGS / "csv").glob("version_*/metrics.csv"), key=_version)
    if not files:
        raise InvalidArtifact(f"{folder / run.LOGS} has no CSV log")
    figures: dict[str, dict[int, float]] = defaultdict(dict)
    for file in files:
        _read(file, figures)
    return figures


def _version(file: Path) -> int:
    return int(file.parent.name.removeprefix("version_"))


def _read(file: Path, figures: dict[str, dict[int, float]]) -> None:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        ends = sorted((int(row[_STEP]), int(row[_EPOCH]) + 1) for row in rows if row[_EPOCH])
        for row in rows:
            # The learning rate is logged as an epoch begins, by its first step alone.
            epoch = int(row[_EPOCH]) + 1 if row[_EPOCH] else _epoch_of(int(row[_STEP]), ends)
            for name, value in row.items():
                if value and name not in {_EPOCH, _STEP}:
                    figures[_plain(name)][epoch] = float(value)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidArtifact(f"{file} cannot be read: {error}") from error


def _epoch_of(step: int, ends: list[tuple[int, int]]) -> int:
    """Gives the epoch that has a step, from the last steps of epochs."""
    return next((epoch for end, epoch in ends if step <= end), ends[-1][1] + 1 if ends else 1)


def _plain(name: str) -> str:
    return LEARNING_RATE if name.startswith(_LEARNING_RATE) else name
