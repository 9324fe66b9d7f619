"""The plot that detectors are compared by: precision against recall, with lines of equal F."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from training.bsds.judge import Judged
from training.bsds.scores import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# People beside each other: precision and recall as the benchmark's authors plot them.
HUMAN: Final = Point(threshold=0.0, precision=0.9014, recall=0.7235)
# ODS of detectors that everybody knows: Xie and Tu 2015 (with the released code), and Canny 1986 as in Arbelaez 2011.
_KNOWN: Final = {"HED": 0.788, "Canny": 0.60}

_INCHES: Final = (6.0, 6.0)
_FAINT: Final = "#dcdcd6"
_COLOURS: Final = {"HED": "#d55e00", "Canny": "#cc79a7"}
_HUMAN_COLOUR: Final = "#009e73"
_OWN_COLOUR: Final = "#0072b2"


def save(judged: Judged, path: Path) -> None:
    """Writes the plot as a PNG picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for tenth in range(1, 10):
        _equal_f(axes, tenth / 10, _FAINT, "solid")
    for name, f in _KNOWN.items():
        _equal_f(axes, f, _COLOURS[name], "dashed", f"{name}, published [F={f:.3f}]")
    axes.plot(HUMAN.recall, HUMAN.precision, "o", color=_HUMAN_COLOUR, label=f"people [F={HUMAN.f:.3f}]")
    _detector(axes, judged)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_title(f"BSDS500 {judged.judging.split}, {judged.pictures} pictures", loc="left", fontsize=10)
    axes.legend(loc="lower left", framealpha=1)
    figure.savefig(path, format="png", dpi=150)


def _detector(axes: "Axes", judged: Judged) -> None:
    scores = judged.scores
    # Where nothing is predicted there is no precision.
    shown = [point for point in scores.curve if point.recall or point.precision]
    label = f"{judged.model} [ODS={scores.ods.f:.3f}, OIS={scores.ois:.3f}, AP={scores.ap:.3f}]"
    axes.plot([each.recall for each in shown], [each.precision for each in shown], color=_OWN_COLOUR, label=label)
    axes.plot(scores.ods.recall, scores.ods.precision, "o", color=_OWN_COLOUR)


def _equal_f(axes: "Axes", f: float, colour: str, style: str, label: str = "") -> None:
    """Draws where the harmonic mean of precision and recall is f."""
    # Solved for precision; at least f / (2 - f) recall is needed.
    recall = np.linspace(f / (2 - f), 1, 200)
    axes.plot(recall, f * recall / (2 * recall - f), color=colour, linewidth=1, linestyle=style, label=label or None)
