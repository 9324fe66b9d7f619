"""Plots that are drawn twice, for light and for dark pages."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Sharp on screens that have up to twice as many pixels as a page counts.
_DOTS_AN_INCH: Final = 192
_CSS_PIXELS_AN_INCH: Final = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a plot; the lines' can be told apart by people who see few colours (Okabe and Ito 2008)."""

    # Added to the file's name.
    suffix: str
    paper: str
    ink: str
    faint: str
    lines: tuple[str, ...]
    # Of few and of many, by matplotlib's names.
    amounts: str


LIGHT: Final = Theme(
    suffix="",
    paper="#ffffff",
    ink="#3a3a37",
    faint="#dcdcd6",
    lines=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    amounts="Blues",
)
DARK: Final = Theme(
    suffix="-dark",
    paper="#1c1f23",
    ink="#c9c9c4",
    faint="#3b3f45",
    lines=("#56b4e9", "#ff9b52", "#2fc79a", "#e39ac4", "#f0c04a", "#8fb8ff"),
    amounts="cividis",
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A PNG file, and another for dark pages beside it."""

    # Without folder.
    light: str
    dark: str
    # As a page counts pixels.
    width_px: int
    height_px: int


def save(draw: Callable[["Figure", Theme], None], folder: Path, name: str, inches: tuple[float, float]) -> Plot:
    """Draws a plot in both themes and writes its two files.

    Args:
        draw: fills a figure.
        folder: where the files go.
        name: of the files, without their ending.
        inches: width and height.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    for theme in (LIGHT, DARK):
        # Without pyplot there is no state that all share, and no window: a figure alone is drawn by Agg.
        figure = Figure(figsize=inches, facecolor=theme.paper, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
        draw(figure, theme)
        figure.savefig(folder / f"{name}{theme.suffix}.png", dpi=_DOTS_AN_INCH)
    width_px, height_px = (round(side * _CSS_PIXELS_AN_INCH) for side in inches)
    return Plot(f"{name}{LIGHT.suffix}.png", f"{name}{DARK.suffix}.png", width_px, height_px)


def dress(axes: "Axes", theme: Theme) -> None:
    """Gives axes the theme's colours, and takes away lines that tell nothing."""
    axes.set_facecolor(theme.paper)
    axes.tick_params(which="both", colors=theme.ink, length=0)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(theme.ink)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(theme.faint)
