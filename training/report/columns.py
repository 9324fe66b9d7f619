"""Which columns of a table an answer hangs on, and where the answers change between two of them.

Legend: N rows, F columns, K classes, G points of the grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from training.answers import probabilities
from training.report.page import Section, grid, plot
from training.report.theme import Plot, Theme, dress, save
from training.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHUFFLES: Final = 10
_MOST_COLUMNS: Final = 12
_GRID: Final = 160
_INCHES_WIDE: Final = 5.2
_SURFACE_INCHES: Final = (_INCHES_WIDE, 4.4)
_LONGEST: Final = 24


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The probabilities over two columns: at (x_G[i], y_G[j]) they are probability_GGK[j, i], f32."""

    x_G: NDArray[np.float32]
    y_G: NDArray[np.float32]
    probability_GGK: NDArray[np.float32]


def section(trained: Run, folder: Path) -> Section:
    """Draws the importance of the columns, and the classes over the two that matter most."""
    columns = trained.task.table.columns
    importance_F = importance(trained)
    first, second, *others = np.argsort(-importance_F, kind="stable").tolist() if len(columns) > 1 else (0, 0)
    about = f"Measured on {len(trained.samples)} test rows."
    parts = []
    if len(columns) > 1:
        parts = [
            plot(_bars(importance_F, columns, folder), "How much each column matters"),
            plot(_surface(trained, (first, second), folder), f"Classes over {columns[first]} and {columns[second]}"),
        ]
        about += (
            " A column matters as much as the error grows when its values are dealt out anew among the rows (Breiman "
            f"2001, section 10). The map shows what is answered over {columns[first]} and {columns[second]}"
            f"{', all others at their mean' if others else ''}: the paler, the less sure. Dots are test rows in the "
            "colour of their true class."
        )
    return Section(title="Which columns it goes by", about=about, body=grid(parts, "wide"))


def importance(trained: Run) -> NDArray[np.float64]:
    """Gives by how much the share of errors grows when a column is shuffled, f64[F], the mean of several shuffles."""
    generator = np.random.default_rng(0)
    values_NF = trained.samples.inputs
    before = _error(trained, values_NF)
    grown = []
    for column in range(values_NF.shape[1]):
        errors = [_error(trained, _shuffled(values_NF, column, generator)) for _ in range(_SHUFFLES)]
        grown.append(float(np.mean(errors)) - before)
    return np.array(grown)


def _shuffled(values_NF: NDArray[np.float32], column: int, generator: np.random.Generator) -> NDArray[np.float32]:
    shuffled_NF = values_NF.copy()
    shuffled_NF[:, column] = generator.permutation(shuffled_NF[:, column])
    return shuffled_NF


def _error(trained: Run, values_NF: NDArray[np.float32]) -> float:
    answered_N = probabilities(trained.front, trained.net, values_NF).argmax(1)
    return float((answered_N != trained.samples.labels_N).mean())


def _bars(importance_F: NDArray[np.float64], columns: Sequence[str], folder: Path) -> Plot:
    order = np.argsort(-importance_F, kind="stable")[:_MOST_COLUMNS]

    def draw(figure: "Figure", theme: Theme) -> None:
        axes = figure.add_subplot()
        names = [_short(columns[column]) for column in order]
        axes.barh(range(len(order)), 100 * importance_F[order], color=theme.lines[0], height=0.7)
        axes.set_yticks(range(len(order)), names)
        axes.invert_yaxis()
        axes.set_title("error when shuffled, percentage points more", loc="left", fontsize=10, color=theme.ink)
        axes.grid(axis="x", color=theme.faint, linewidth=0.6)
        axes.set_axisbelow(True)
        dress(axes, theme)

    return save(draw, folder, "importance", (_INCHES_WIDE, 1.1 + 0.27 * max(4, len(order))))


def surface(trained: Run, pair: tuple[int, int]) -> Surface:
    """Gives what is answered over two columns, the others at their mean."""
    values_NF = trained.samples.inputs
    x_G, y_G = (_span(values_NF[:, column]) for column in pair)
    rows_NF = np.tile(values_NF.mean(0), (_GRID * _GRID, 1)).astype(np.float32)
    rows_NF[:, pair[0]], rows_NF[:, pair[1]] = np.tile(x_G, _GRID), np.repeat(y_G, _GRID)
    probability_NK = probabilities(trained.front, trained.net, rows_NF)
    return Surface(x_G, y_G, probability_NK.reshape(_GRID, _GRID, -1))


def _span(value_N: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = float(value_N.min()), float(value_N.max())
    margin = 0.08 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, _GRID, dtype=np.float32)


def _surface(trained: Run, pair: tuple[int, int], folder: Path) -> Plot:
    found = surface(trained, pair)
    columns, labels, samples = trained.task.table.columns, trained.task.labels, trained.samples

    def draw(figure: "Figure", theme: Theme) -> None:
        axes = figure.add_subplot()
        colour_K3 = _colours(len(labels), theme)
        extent = (found.x_G[0], found.x_G[-1], found.y_G[0], found.y_G[-1])
        tinted_GG3 = _tinted(found.probability_GGK, colour_K3, _colour(theme.paper))
        axes.imshow(tinted_GG3, origin="lower", extent=extent, aspect="auto", interpolation="bilinear")
        for k in np.unique(samples.labels_N):
            x_N, y_N = (samples.inputs[samples.labels_N == k, column] for column in pair)
            axes.scatter(x_N, y_N, 18, [colour_K3[k]], edgecolors=theme.paper, linewidths=0.6, label=_short(labels[k]))
        axes.set_xlabel(_short(columns[pair[0]]))
        axes.set_ylabel(_short(columns[pair[1]]))
        dress(axes, theme)
        figure.legend(loc="outside lower center", ncols=3, frameon=False, labelcolor=theme.ink)

    return save(draw, folder, "surface", _SURFACE_INCHES)


def _colours(classes: int, theme: Theme) -> NDArray[np.float64]:
    return np.stack([_colour(theme.lines[k % len(theme.lines)]) for k in range(classes)])


def _colour(name: str) -> NDArray[np.float64]:
    from matplotlib.colors import to_rgb

    return np.array(to_rgb(name))


def _tinted(
    probability_GGK: NDArray[np.float32], colour_K3: NDArray[np.float64], paper_3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gives rgb f64[G,G,3]: the answer's colour, mixed with the paper's the less sure it is."""
    classes = probability_GGK.shape[2]
    best_GG = probability_GGK.argmax(2)
    sure_GG1 = (probability_GGK.max(2, keepdims=True) - 1 / classes) / (1 - 1 / classes)
    rgb_GG3: NDArray[np.float64] = paper_3 + (0.12 + 0.5 * sure_GG1) * (colour_K3[best_GG] - paper_3)
    return rgb_GG3


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
