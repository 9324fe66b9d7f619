"""Legend: N rows."""

import numpy as np
import pytest

from training.data import students


def test_file_is_what_the_rule_makes() -> None:
    """Nobody's hand was at the file: the rule writes it again, byte for byte."""
    assert "".join(f"{line}\n" for line in students.make()) == students.FILE.read_text("utf-8")


def test_has_two_inputs_and_two_answers() -> None:
    """A thousand students, described by two numbers, a tenth of them to test on, and about as many pass as fail."""
    data = students.read()
    assert data.whole is not None
    assert data.whole.columns == ("hours_studied", "hours_slept")
    assert data.labels == ("fail", "pass")
    assert (len(data.train), len(data.test), len(data.whole)) == (900, 100, 1000)
    assert 0.4 < data.whole.labels_N.mean() < 0.6


def test_says_that_nobody_is_in_it() -> None:
    """The source says that the data are made up, and by which rule."""
    source = students.read().source
    assert source.name == "students"
    assert source.origin.startswith("synthetic: made-up students")
    assert list(source.sha256) == ["students.csv"]


def test_chance_is_even_where_the_rule_says() -> None:
    """After 5 hours of study and 6.5 of sleep it is even; more of either helps."""
    assert students.chance(5, 6.5) == pytest.approx(0.5)
    assert students.chance(6, 6.5) > students.chance(5, 7.5) > 0.5 > students.chance(4, 6.5)


def test_results_follow_the_chance() -> None:
    """Among students of about the same chance, that share passes."""
    whole = students.read().whole
    assert whole is not None
    chance_N = np.array([students.chance(*hours) for hours in whole.values_NF.tolist()])
    for low, high in ((0.0, 0.05), (0.05, 0.5), (0.5, 0.95), (0.95, 1.0)):
        among_N = (chance_N >= low) & (chance_N < high)
        deviation = np.sqrt((chance_N[among_N] * (1 - chance_N[among_N])).sum()) / among_N.sum()
        assert whole.labels_N[among_N].mean() == pytest.approx(chance_N[among_N].mean(), abs=4 * deviation)
