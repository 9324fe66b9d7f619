"""`hondo train` of an edge detector."""

import time
from pathlib import Path
from typing import Final

import click
from lightning.pytorch.utilities import rank_zero_only

from hondo.errors import MissingData
from training import pretrained
from training.data import bsds500
from training.data.bsds500 import Drawn, Split
from training.edges import run
from training.edges.exam import examine
from training.edges.fit import TRUNK, fit
from training.edges.recipe import EdgeRecipe
from training.edges.run import EdgeResults, Facts
from training.place import Place

# The benchmark's own division: what is scored is not looked at before.
_LEARNT: Final[tuple[Split, ...]] = ("train", "val")


def train_edges(settings: EdgeRecipe, data: str | None, place: Place) -> None:
    """Trains on BSDS500's 300 pictures for training and validation, and scores on its 200 for the test.

    Raises:
        MissingData: BSDS500 is not there, or the package with the trunk's weights.
    """
    folder = _folder(data)
    sources = [bsds500.source(folder, _LEARNT)]
    if settings.trunk == "package":
        sources.append(pretrained.source(TRUNK))
    facts = Facts(recipe=settings, data=tuple(sources), seed=place.seed)
    last = place.last(facts.plain())
    learnt = [drawn for split in _LEARNT for drawn in bsds500.read(folder, split)]
    test = bsds500.read(folder, "test")
    _introduce(facts, len(learnt), len(test))
    started_s = time.monotonic()
    place.clear(last)
    fit(facts, learnt, place.folder, place.devices, last)
    _finish(place.folder, test, time.monotonic() - started_s)


def _folder(data: str | None) -> Path:
    if data is None:
        raise MissingData(f"--data FOLDER with {bsds500.LOOKED_FOR}; to be had from {bsds500.WHERE}")
    folder = Path(data)
    if not bsds500.recognises(folder):
        raise MissingData(f"no BSDS500 is in {folder}; looked for {bsds500.LOOKED_FOR}")
    return folder


@rank_zero_only
def _introduce(facts: Facts, learnt: int, test: int) -> None:
    click.echo(f"model  {facts.recipe.name}: {facts.recipe.source}")
    for source in facts.data:
        click.echo(f"data   {source.name}: {source.origin}")
    kept = facts.recipe.validation_pictures
    click.echo(f"       {learnt - kept} pictures to train on, {kept} to validate with; {test} to test on")


@rank_zero_only
def _finish(folder: Path, test: list[Drawn], seconds: float) -> None:
    click.echo(f"trained in {seconds / 60:.1f} min; scoring takes some minutes")
    trained = run.trained(folder)
    scores = examine(trained.front, trained.maps, test)
    run.finish(folder, test, EdgeResults(scores=scores, seconds=seconds))
    for score in scores:
        click.echo(f"test {score.metric:<4} {score.value:.3f} ({score.data}, {score.samples} pictures)")
