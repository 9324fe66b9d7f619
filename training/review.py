"""How a net did on all test examples, with the worst of its mistakes themselves: what a report is drawn from.

Legend: N examples, M mistakes, K classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from hondo.errors import InvalidArtifact
from training.answers import Answers
from training.data.dataset import Examples

_MOST_MISTAKES: Final = 24
_ANSWERS: Final = ("labels_N", "classes_NT", "probability_NT", "true_probability_N")


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """The answers, and the examples that belong to the first of `answers.worst()`."""

    answers: Answers
    worst: Examples

    def right(self, count: int) -> list[int]:
        """Gives the positions of the right answers to the first `count` test examples, which are a run's samples."""
        return [int(position) for position in np.flatnonzero(~self.answers.wrong()[:count])]

    def save(self, path: Path) -> None:
        """Writes it as an .npz file."""
        arrays = {name: getattr(self.answers, name) for name in _ANSWERS}
        np.savez_compressed(path, worst_inputs=self.worst.inputs, worst_labels_M=self.worst.labels_N, **arrays)


def review(answers: Answers, examples: Examples) -> Review:
    """Gives the answers to these examples, and the worst mistakes."""
    return Review(answers, examples.take(answers.worst()[:_MOST_MISTAKES]))


def load(path: Path) -> Review:
    """Reads what `save` wrote.

    Raises:
        InvalidArtifact: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            answers = Answers(**{name: arrays[name] for name in _ANSWERS})
            return Review(answers, Examples(arrays["worst_inputs"], arrays["worst_labels_M"]))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise InvalidArtifact(f"{path} cannot be read: {error}") from error
