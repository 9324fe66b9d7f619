"""The plot: latency against load, as a PNG picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from serving.bench.load import Closed, Open
from serving.bench.points import Point
from serving.bench.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PERCENTILES: Final = ("p50", "p95", "p99")
_INCH: Final = (6.4, 4.8)  # of one panel: width, height


def save(report: Report, path: Path) -> None:
    """Draws a panel for the closed loops and one for the open loops, whichever were measured.

    ModuleNotFoundError where matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    closed = [point for point in report.points if isinstance(point.load, Closed)]
    opened = [point for point in report.points if isinstance(point.load, Open)]
    panels = [
        (name, points) for name, points in (("calls at once", closed), ("calls offered a second", opened)) if points
    ]
    figure = Figure(figsize=(_INCH[0] * len(panels), _INCH[1]), layout="constrained")
    figure.suptitle(f"{report.model}: latency against load ({report.machine.cores} cores, {report.machine.cpu})")
    for number, (name, points) in enumerate(panels):
        _draw(figure.add_subplot(1, len(panels), number + 1), name, points)
    figure.savefig(path, format="png", dpi=120)


def _draw(axes: "Axes", name: str, points: Sequence[Point]) -> None:
    answered = [(_size(point), point.served) for point in sorted(points, key=_size) if point.served.latency]
    loads = [size for size, _ in answered]
    for percentile in _PERCENTILES:
        axes.plot(
            loads, [getattr(served.latency, f"{percentile}_ms") for _, served in answered], marker="o", label=percentile
        )
    for size, served in answered:
        assert served.latency, "only those with one were taken"
        axes.annotate(
            f"{served.requests_per_s:.4g}/s", (size, served.latency.p50_ms), (0, -14), textcoords="offset points"
        )
    axes.set_xlabel(name)
    axes.set_ylabel("latency, ms")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(loads, [f"{size:g}" for size in loads], minor=False)
    axes.minorticks_off()
    axes.margins(0.12)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


def _size(point: Point) -> float:
    return point.load.concurrency if isinstance(point.load, Closed) else point.load.rate_per_s
