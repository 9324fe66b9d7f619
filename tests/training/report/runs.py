"""Runs that were never trained, for the sections that look into nets.

Legend: N examples, F columns, K classes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from protos.manifest_pb2 import Classification, ImageInput, TableInput, TextInput
from training.answers import judge, probabilities
from training.data.dataset import Examples
from training.review import Review, review
from training.run import Run

WORDS = ("<padding>", "<unknown>", "who", "what", "is", "it", "where", "when")


def made(net: nn.Module, task: Classification, samples: Examples, front: nn.Module | None = None) -> Run:
    """Gives a run with this net."""
    return Run(
        name="made",
        net=net.eval(),
        front=(front or nn.Identity()).eval(),
        task=task,
        samples=samples,
        recipe={},
        source="",
        summary="",
        data=(),
        scores=(),
        seed=0,
        library_versions={},
        parameters=0,
    )


def reviewed(trained: Run) -> Review:
    """Gives what the run's net answers to its samples."""
    answered = judge(probabilities(trained.front, trained.net, trained.samples.inputs), trained.samples.labels_N)
    return review(answered, trained.samples)


def of_pictures(side: int, channels: int = 1, labels: Sequence[str] = ("a", "b")) -> Classification:
    """Gives the task of telling pictures apart."""
    return Classification(image=ImageInput(height=side, width=side, channels=channels), labels=labels)


def of_texts(length: int, labels: Sequence[str] = ("a", "b")) -> Classification:
    """Gives the task of telling texts of WORDS apart."""
    return Classification(text=TextInput(vocabulary=WORDS, length=length), labels=labels)


def of_rows(columns: Sequence[str], labels: Sequence[str] = ("a", "b")) -> Classification:
    """Gives the task of telling rows apart."""
    return Classification(table=TableInput(columns=columns), labels=labels)


def tokens(*texts: str, length: int = 6) -> NDArray[np.int64]:
    """Gives texts of WORDS as i64[N,T]."""
    rows = [[WORDS.index(word) for word in text.split()] for text in texts]
    return np.array([row + [0] * (length - len(row)) for row in rows], np.int64)
