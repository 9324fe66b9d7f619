"""Legend: N examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource
from training.data import folds
from training.data.dataset import DataSet, Rows
from training.data.folds import FOLDS, divide, fold_of, part


def rows(labels: list[int]) -> Rows:
    """Gives rows that are told apart by their only value."""
    return Rows(("place",), np.arange(len(labels), dtype=np.float32)[:, np.newaxis], np.array(labels))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(2, 12))
def test_spreads_each_class_evenly(labels: list[int], folds: int) -> None:
    """Of all examples, and of each class, no fold has two more than another."""
    labels_N = np.array(labels)
    fold_N = fold_of(labels_N, folds)
    assert set(fold_N.tolist()) <= set(range(folds))
    for chosen_N in (labels_N >= 0, *(labels_N == label for label in set(labels))):
        counts = np.bincount(fold_N[chosen_N], minlength=folds)
        assert counts.max() - counts.min() <= 1


@given(st.lists(st.integers(0, 3), min_size=12, max_size=80), st.integers(2, 12))
def test_every_example_is_tested_once(labels: list[int], folds: int) -> None:
    """The test parts of all folds are all examples, each once; what is tested is not trained on."""
    tested: list[float] = []
    for fold in range(folds):
        train, test = part(rows(labels), fold, folds)
        assert len(train) + len(test) == len(labels)
        assert not set(train.values_NF.ravel()) & set(test.values_NF.ravel())
        tested += test.values_NF.ravel().tolist()
    assert sorted(tested) == list(range(len(labels)))


def test_draws_at_random_but_always_the_same() -> None:
    """The folds are no pattern of the file's order, and the same each time."""
    labels_N = np.zeros(40, np.int64)
    fold_N = fold_of(labels_N, 10)
    assert fold_N.tolist() == fold_of(labels_N, 10).tolist()
    assert fold_N.tolist() not in ((np.arange(40) % 10).tolist(), np.repeat(np.arange(10), 4).tolist())


def test_divides_off_the_first_fold() -> None:
    """Where nobody parted the examples, the first of ten folds is for the test, and all are kept for other folds."""
    whole = rows([0, 1] * 20)
    data = divide(DataSource(name="rows"), ("a", "b"), whole, ("a note",))
    train, test = part(whole, 0, FOLDS)
    np.testing.assert_array_equal(data.test.values_NF, test.values_NF)
    np.testing.assert_array_equal(data.train.values_NF, train.values_NF)
    assert data.whole is whole
    assert data.notes == ("a note",)


def test_refuses_classes_of_one() -> None:
    """A class that cannot be in both parts is named."""
    with pytest.raises(MissingData, match="the place: no two examples of b, c;"):
        divide(DataSource(origin="the place"), ("a", "b", "c"), rows([0, 0, 1]))


@pytest.mark.parametrize("is_given", [True, False])
def test_folds_leave_a_given_test_alone(is_given: bool) -> None:
    """Folds are of all examples, but where a test was given, of those to train on alone."""
    source = DataSource(name="rows", origin="here", sha256={"a": "b"})
    data = divide(source, ("a", "b"), rows([0, 1] * 20))
    if is_given:
        data = DataSet(source, data.labels, data.train, data.test)
    tested: list[float] = []
    for fold in range(3):
        of = folds.of(data, fold, 3)
        assert (of.name, of.source.origin, of.labels) == (f"rows fold {fold + 1} of 3", "here", ("a", "b"))
        assert dict(of.source.sha256) == {"a": "b"}
        tested += of.test.values_NF.ravel().tolist()
    whole = data.train if data.whole is None else data.whole
    assert sorted(tested) == sorted(whole.values_NF.ravel().tolist())
    assert data.source.name == "rows"


def test_first_of_ten_folds_is_what_a_training_tests_on() -> None:
    """Where nobody gave a test, that of a plain training is the first of a cross-validation's ten."""
    data = divide(DataSource(name="rows"), ("a", "b"), rows([0, 1] * 20))
    np.testing.assert_array_equal(folds.of(data, 0, FOLDS).test.values_NF, data.test.values_NF)


def test_refuses_more_folds_than_examples() -> None:
    """A fold without an example is none."""
    with pytest.raises(MissingData, match="rows has 4 examples, too few for 5 folds"):
        folds.of(divide(DataSource(name="rows"), ("a", "b"), rows([0, 0, 1, 1])), 0, 5)
