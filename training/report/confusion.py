"""What the net takes for what.

Legend: N examples, K classes.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from training.answers import Answers
from training.report.page import Section, grid, heading, plot, table
from training.report.theme import Plot, Theme, dress, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More classes would not be readable in a matrix: they are listed alone.
_MOST_IN_A_MATRIX: Final = 30
# Of lists.
_MOST_ROWS: Final = 15
# Characters of a label beside the matrix.
_LONGEST: Final = 16


def section(answers: Answers, labels: Sequence[str], folder: Path) -> Section:
    """Draws the matrix where there are few classes, and lists the most frequent confusions."""
    count_KK = matrix(answers, len(labels))
    wrong = int(answers.wrong().sum())
    total = len(answers.labels_N)
    confusions = table(["truth", "answer", "times"], _confusions(answers, labels), numbers={2})
    classes = table(["class", "wrong", "of", "error"], _classes(count_KK, labels), numbers={1, 2, 3})
    lists = [("Most frequent confusions", confusions), ("Classes with most errors", classes)] if wrong else []
    parts = [f"<div>{heading(title)}{rows}</div>" for title, rows in lists]
    about = f"{wrong:,} of {total:,} test examples were answered wrongly."
    if len(labels) <= _MOST_IN_A_MATRIX:
        about += (
            " A row of the matrix is a true class, a column an answer; the colour is the root of the share of the row."
        )
        parts.insert(0, plot(_save(count_KK, labels, folder), "Confusion matrix"))
    return Section(title="What it confuses", about=about, body=grid(parts, "beside"))


def matrix(answers: Answers, classes: int) -> NDArray[np.int64]:
    """Gives how often each class (row) was taken for each (column), i64[K,K]."""
    count_KK = np.zeros((classes, classes), np.int64)
    np.add.at(count_KK, (answers.labels_N, answers.classes_NT[:, 0]), 1)
    return count_KK


def _confusions(answers: Answers, labels: Sequence[str]) -> list[tuple[str, str, str]]:
    pairs = zip(
        answers.labels_N[answers.wrong()].tolist(), answers.classes_NT[answers.wrong(), 0].tolist(), strict=True
    )
    frequent = Counter(pairs).most_common(_MOST_ROWS)
    return [(labels[true], labels[answer], f"{count:,}") for (true, answer), count in frequent]


def _classes(count_KK: NDArray[np.int64], labels: Sequence[str]) -> list[tuple[str, str, str, str]]:
    total_K = count_KK.sum(1)
    wrong_K = total_K - count_KK.diagonal()
    share_K = wrong_K / np.maximum(total_K, 1)
    order_K = np.argsort(-share_K, kind="stable")
    worst = [int(k) for k in order_K if wrong_K[k]][:_MOST_ROWS]
    return [(labels[k], f"{wrong_K[k]:,}", f"{total_K[k]:,}", f"{share_K[k]:.1%}".replace("%", " %")) for k in worst]


def _save(count_KK: NDArray[np.int64], labels: Sequence[str], folder: Path) -> Plot:
    classes = len(labels)
    # Without the root the few mistakes of a good net would be as pale as none.
    shade_KK = np.sqrt(count_KK / np.maximum(count_KK.sum(1, keepdims=True), 1))
    side = 1.2 + 0.34 * max(classes, 4) + 0.07 * max(map(len, map(_short, labels)))

    def draw(figure: "Figure", theme: Theme) -> None:
        axes = figure.add_subplot()
        axes.imshow(shade_KK, cmap=theme.amounts, vmin=0, vmax=1)
        names = [_short(label) for label in labels]
        is_long = max(map(len, names)) > 3
        axes.set_xticks(range(classes), names, rotation=45 if is_long else 0, ha="right" if is_long else "center")
        axes.set_yticks(range(classes), names)
        axes.set_xlabel("answer")
        axes.set_ylabel("truth")
        dress(axes, theme)
        for row, column in np.argwhere(count_KK):
            colour = _readable(axes.images[0].cmap(shade_KK[row, column]))
            axes.text(column, row, f"{count_KK[row, column]}", ha="center", va="center", fontsize=7, color=colour)

    return save(draw, folder, "confusion", (side, side))


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"


def _readable(background: Sequence[float]) -> str:
    red, green, blue, *_ = background
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#ffffff"
