"""Legend: N examples, K classes."""

import re
from pathlib import Path

import numpy as np

from training.answers import Answers, judge
from training.report import confusion


def answers(pairs: list[tuple[int, int]], classes: int) -> Answers:
    """Gives answers: (truth, answer) of each example."""
    labels, answered = (np.array(each) for each in zip(*pairs, strict=True))
    return judge(np.eye(classes, dtype=np.float32)[answered], labels)


def rows(html: str) -> list[list[str]]:
    """Gives the texts of all tables' rows."""
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", html) if "<td" in row]


def test_counts_by_hand() -> None:
    """A row is the truth, a column the answer."""
    count_KK = confusion.matrix(answers([(0, 0), (0, 1), (0, 1), (2, 0), (2, 2)], 3), 3)
    assert count_KK.tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 1]]


def test_lists_what_is_confused_most(tmp_path: Path) -> None:
    """Confusions come with how often, and classes with their share of errors, the worst first."""
    section = confusion.section(answers([(0, 0), (0, 1), (0, 1), (2, 0), (2, 2)], 3), ("cat", "dog", "fox"), tmp_path)
    assert rows(section.body) == [
        ["cat", "dog", "2"],
        ["fox", "cat", "1"],
        ["cat", "2", "3", "66.7 %"],
        ["fox", "1", "2", "50.0 %"],
    ]
    assert section.about.startswith("3 of 5 test examples were answered wrongly.")


def test_draws_a_matrix_of_few_classes(tmp_path: Path) -> None:
    """Up to 30 classes there is a plot, for light pages and for dark ones."""
    section = confusion.section(answers([(0, 0), (1, 0)], 30), [f"class {k}" for k in range(30)], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"confusion.png", "confusion-dark.png"}
    assert 'srcset="confusion-dark.png" media="(prefers-color-scheme: dark)"' in section.body


def test_a_thousand_classes_stay_readable(tmp_path: Path) -> None:
    """Of many classes only the most frequent confusions and the worst classes are listed, without a matrix."""
    pairs = [(k, (k + 1) % 1000) for k in range(1000)] + [(7, 8)] * 3
    section = confusion.section(answers(pairs, 1000), [f"class {k}" for k in range(1000)], tmp_path)
    assert not list(tmp_path.iterdir())
    assert len(rows(section.body)) == 30
    assert rows(section.body)[0] == ["class 7", "class 8", "4"]


def test_nothing_is_confused(tmp_path: Path) -> None:
    """Where every answer is right there is nothing to list."""
    section = confusion.section(answers([(0, 0), (1, 1)], 2), ("a", "b"), tmp_path)
    assert rows(section.body) == []
    assert section.about.startswith("0 of 2")
