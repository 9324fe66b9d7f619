"""Parts of a data set for which nobody said which examples are for the test.

Legend: N examples.
"""

from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource
from training.data.dataset import DataSet, Raw

Kind = TypeVar("Kind", bound=Raw)

# One in so many is for the test, unless a cross-validation asks for another number.
FOLDS: Final = 10
# Part of every score that is measured on such a part: another one would make them incomparable.
_SEED: Final = 0


def fold_of(labels_N: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Gives the fold of each example, 0 to `folds` - 1: at random but always the same, each class spread evenly."""
    order_N = torch.randperm(len(labels_N), generator=torch.Generator().manual_seed(_SEED)).numpy()
    by_class_N = order_N[np.argsort(labels_N[order_N], kind="stable")]
    fold_N = np.empty(len(labels_N), np.int64)
    fold_N[by_class_N] = np.arange(len(labels_N)) % folds
    return fold_N


def part(examples: Kind, fold: int, folds: int = FOLDS) -> tuple[Kind, Kind]:
    """Parts examples into those of all other folds, to train on, and those of one fold, to test on."""
    fold_N = fold_of(examples.labels_N, folds)
    return _take(examples, fold_N != fold), _take(examples, fold_N == fold)


def _take(examples: Kind, chosen_N: NDArray[np.bool_]) -> Kind:
    taken: Kind = examples.take(np.flatnonzero(chosen_N))  # type: ignore[assignment]  # each kind gives its own kind
    return taken


def divide(source: DataSource, labels: tuple[str, ...], whole: Kind, notes: tuple[str, ...] = ()) -> DataSet[Kind]:
    """Makes a data set of examples that nobody parted: the first of ten folds is for the test.

    Raises:
        MissingData: a class has no two examples, one for each part.
    """
    count_K = np.bincount(whole.labels_N, minlength=len(labels))
    if rare := [label for label, count in zip(labels, count_K, strict=True) if count < 2]:
        raise MissingData(
            f"{source.origin}: no two examples of {', '.join(rare)}; each class needs some to train and to test on"
        )
    train, test = part(whole, 0)
    return DataSet(source, labels, train, test, whole, notes)


def of(data: DataSet[Kind], fold: int, folds: int) -> DataSet[Kind]:
    """Gives the data set whose test is one of the folds, and which is trained on all others.

    The folds are of all examples where nobody said which are for the test; else of those to train on, so that the
    published test stays unseen.

    Args:
        data: to fold.
        fold: the one to test on, from 0.
        folds: how many there are.

    Raises:
        MissingData: there are not as many examples as folds.
    """
    folded = data.train if data.whole is None else data.whole
    if len(folded) < folds:
        raise MissingData(f"{data.name} has {len(folded)} examples, too few for {folds} folds")
    train, test = part(folded, fold, folds)
    source = DataSource()
    source.CopyFrom(data.source)
    source.name = f"{data.name} fold {fold + 1} of {folds}"
    return DataSet(source, data.labels, train, test)
