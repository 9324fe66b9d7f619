"""The learning curves: loss, error and learning rate, epoch by epoch."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from training.classifier import TRAIN_LOSS, VALIDATION_ERROR, VALIDATION_LOSS
from training.report.history import LEARNING_RATE, History
from training.report.page import Section, grid, plot
from training.report.theme import Plot, Theme, dress, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES: Final = (4.4, 3.1)
# Where the largest value is so many times the smallest, small ones would be lost on a plain axis.
_LOG_FROM: Final = 20
# So few points are marked each.
_MARKED: Final = 40

Curve = Mapping[int, float]


def section(
    history: History,
    best_epoch: int,
    folder: Path,
    *,
    score: str = VALIDATION_ERROR,
    called: str = "validation error, %",
) -> Section:
    """Draws the curves.

    Args:
        history: what was logged.
        best_epoch: whose weights were kept, from 1.
        folder: where the plots go.
        score: under which name validation's score was logged.
        called: what people call it, and its unit.
    """
    losses = {"training": history[TRAIN_LOSS], "validation": history.get(VALIDATION_LOSS, {})}
    drawn = [
        plot(_save(losses, "loss", best_epoch, folder), "Loss of training and validation by epoch"),
        plot(
            _save({"validation": history[score]}, called, best_epoch, folder),
            f"{called[0].upper()}{called[1:].split(',', maxsplit=1)[0]} by epoch",
        ),
        plot(
            _save({"learning rate": history.get(LEARNING_RATE, {})}, "learning rate", best_epoch, folder),
            "Learning rate by epoch",
        ),
    ]
    return Section(
        title="How it learned",
        about="The dashed line is the epoch whose weights were kept. Training sees distorted examples and drops units, "
        "and its loss is the mean over an epoch in which the weights still moved; validation sees the examples as they "
        "are, and averaged weights where the recipe averages. The learning rate is that of each epoch's first step.",
        body=grid(drawn, "wide"),
    )


def _save(curves: Mapping[str, Curve], what: str, best_epoch: int, folder: Path) -> Plot:
    def draw(figure: "Figure", theme: Theme) -> None:
        axes = figure.add_subplot()
        shown = {name: curve for name, curve in curves.items() if curve}
        for (name, curve), colour in zip(shown.items(), theme.lines, strict=False):
            _line(axes, name, curve, colour)
        axes.axvline(best_epoch, color=theme.ink, alpha=0.5, linewidth=1, linestyle=(0, (3, 3)))
        _scale(axes, curves)
        axes.set_title(what, loc="left", fontsize=10, color=theme.ink)
        axes.set_xlabel("epoch")
        axes.grid(axis="y", color=theme.faint, linewidth=0.6)
        dress(axes, theme)
        if len(shown) > 1:
            axes.legend(frameon=False, labelcolor=theme.ink)

    return save(draw, folder, what.split(",", maxsplit=1)[0].replace(" ", "-"), _INCHES)


def _line(axes: "Axes", name: str, curve: Curve, colour: str) -> None:
    epochs = sorted(curve)
    marker = "o" if len(epochs) <= _MARKED else ""
    axes.plot(epochs, [curve[epoch] for epoch in epochs], color=colour, label=name, marker=marker, markersize=3)


def _scale(axes: "Axes", curves: Mapping[str, Curve]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

    values = [value for curve in curves.values() for value in curve.values()]
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    if values and min(values) > 0 and max(values) / min(values) > _LOG_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        formatter = ScalarFormatter()
        formatter.set_scientific(False)
        axes.yaxis.set_major_formatter(formatter)
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=min([0, *values]))
        axes.ticklabel_format(axis="y", scilimits=(-2, 4))
