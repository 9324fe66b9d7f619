"""`hondo evaluate edges`: a served edge detector on the boundary benchmark of BSDS500."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Final, cast

import click
from tqdm import tqdm  # type: ignore[import-untyped]  # has no stubs of its own

from hondo.access import Access, asks
from hondo.client import Client
from training.bsds import plot
from training.bsds.judge import Judged, Judging, judge
from training.data import bsds500
from training.data.bsds500 import Split

# How long the server may take for a picture, seconds.
_PATIENCE_S: Final = 300.0
# Where no terminal shows the bar, a line is printed no more often than this.
_LINE_EVERY_S: Final = 30.0


@click.command()
@click.argument("model")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help=f"Folder of {bsds500.LOOKED_FOR}.",
)
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True, help="Which pictures."
)
@click.option("--pictures", type=click.IntRange(1), show_default="all", help="How many of them, the first ones.")
@click.option(
    "--thresholds",
    type=click.IntRange(1, 999),
    default=Judging.thresholds,
    show_default=True,
    help="How many, evenly between 0 and 1; the benchmark has 99, 33 take a third of the time.",
)
@click.option(
    "--thin/--no-thin",
    default=True,
    show_default=True,
    help="Non-maximum suppression first, as the scores of nets are stated; not for maps that are lines already.",
)
@click.option("--processes", type=click.IntRange(1), show_default="one a core", help="That compare maps side by side.")
@asks
@click.option(
    "--plot",
    "plot_to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Draw precision against recall, people and known detectors beside it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def edges(
    server: str,
    access: Access,
    *,
    model: str,
    data: Path,
    split: str,
    pictures: int | None,
    thresholds: int,
    thin: bool,
    processes: int | None,
    plot_to: Path | None,
    as_json: bool,
) -> None:
    """Ask a running server for the edges of BSDS500's pictures, and score MODEL by its boundary benchmark.

    ODS is F (of precision and recall, over all pictures) at the best single threshold, OIS at the best for each
    picture, AP the precision averaged over recall.
    """
    judging = Judging(
        split=cast("Split", split),
        pictures=pictures,
        thresholds=thresholds,
        thin=thin,
        processes=processes or _cores(),
    )
    with Client(server, timeout_s=_PATIENCE_S, access=access) as client, _Bar() as bar:
        judged = judge(client, model, data, judging, bar.left)
    if plot_to:
        plot.save(judged, plot_to)
    click.echo(_json(judged) if as_json else _text(judged))


class _Bar:
    """A bar over all pictures; plain lines where the output is no terminal."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._last_line_s = time.monotonic()

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def left(self, pictures: int) -> None:
        """Shows how many pictures are left; told first of all of them."""
        if self._bar is None:
            self._bar = tqdm(total=pictures, unit=" pictures", leave=False, disable=not sys.stderr.isatty())
            return
        self._bar.update()
        if self._bar.disable and time.monotonic() - self._last_line_s >= _LINE_EVERY_S:
            click.echo(f"{pictures} pictures left", err=True)
            self._last_line_s = time.monotonic()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _text(judged: Judged) -> str:
    scores, judging = judged.scores, judged.judging
    ods = scores.ods
    how = "thinned by non-maximum suppression" if judging.thin else "taken as they are"
    return "\n".join(
        [
            f"{judged.model} version {judged.version} on BSDS500 {judging.split}: "
            f"{judged.pictures} pictures, {judging.thresholds} thresholds, maps {how}",
            f"  ODS {ods.f:.3f}  (threshold {ods.threshold:.3f}: precision {ods.precision:.3f}, "
            f"recall {ods.recall:.3f})",
            f"  OIS {scores.ois:.3f}",
            f"  AP  {scores.ap:.3f}",
            f"  people {plot.HUMAN.f:.3f}",
        ]
    )


def _json(judged: Judged) -> str:
    scores, judging = judged.scores, judged.judging
    return json.dumps(
        {
            "model": judged.model,
            "version": judged.version,
            "data": f"{bsds500.NAME} {judging.split}",
            "pictures": judged.pictures,
            "thresholds": judging.thresholds,
            "thinned": judging.thin,
            "ods": scores.ods.f,
            "ods_threshold": scores.ods.threshold,
            "ods_precision": scores.ods.precision,
            "ods_recall": scores.ods.recall,
            "ois": scores.ois,
            "ap": scores.ap,
            "curve": [
                {"threshold": each.threshold, "precision": each.precision, "recall": each.recall, "f": each.f}
                for each in scores.curve
            ],
        }
    )
