"""Made-up students: hours studied, hours slept, and whether the exam was passed; 1,000 of them, in the package.

No person is behind a row. `make` is the whole rule; the file was written by it:

    python -m training.data.students > training/data/students.csv

Each student studied 0 to 10 hours and slept 4 to 9, any as likely as another. The exam is passed with probability
sigmoid(2.4 x studied + 1.6 x slept - 22.4): so a student who slept 6.5 hours passes as often as not after 5 hours of
study, and an hour of study counts one and a half of sleep.
"""

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from hondo import artifact
from protos.manifest_pb2 import DataSource
from training.data import table
from training.data.dataset import DataSet, Rows

NAME: Final = "students"
FILE: Final = Path(__file__).with_name("students.csv")
_ROWS: Final = 1000
_STUDIED_WEIGHT: Final = 2.4
_SLEPT_WEIGHT: Final = 1.6
_BIAS: Final = -22.4


def read() -> DataSet[Rows]:
    """Reads the students; the first of ten folds is for the test."""
    data = table.read(FILE)
    source = DataSource(
        name=NAME,
        origin="synthetic: made-up students, drawn by the rule in training/data/students.py",
        terms="Apache-2.0, as Hondo",
        sha256={FILE.name: artifact.sha256(FILE)},
    )
    return DataSet(source, data.labels, data.train, data.test, data.whole)


def chance(studied_h: float, slept_h: float) -> float:
    """Gives the probability that a student passes."""
    return 1 / (1 + math.exp(-(_STUDIED_WEIGHT * studied_h + _SLEPT_WEIGHT * slept_h + _BIAS)))


def make() -> Iterator[str]:
    """Gives the lines of the file."""
    # Python keeps what this gives for a seed in all versions; nothing here is a secret.
    draw = random.Random(0).random  # noqa: S311
    yield "hours_studied,hours_slept,result"
    for _ in range(_ROWS):
        studied_h, slept_h = round(10 * draw(), 1), round(4 + 5 * draw(), 1)
        result = "pass" if draw() < chance(studied_h, slept_h) else "fail"
        yield f"{studied_h},{slept_h},{result}"


if __name__ == "__main__":
    for line in make():
        click.echo(line)
