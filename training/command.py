"""`hondo train`: from a recipe and a data set to a run folder."""

import json
import time
from pathlib import Path

import click
from lightning.pytorch.utilities import rank_zero_only

from training import options, recipe, run, text_run
from training.captions.command import train_captioner
from training.captions.recipe import CaptionRecipe
from training.checkpoint import Facts
from training.data import corpus
from training.data.choice import better, choose
from training.data.corpus import Corpus
from training.data.dataset import DataSet, Examples, Raw
from training.edges.command import train_edges
from training.edges.recipe import EdgeRecipe
from training.fit import Devices, fit, fit_writer
from training.fixed import FixedRecipe
from training.inputs import Characters
from training.place import Place
from training.recipe import Recipe
from training.report import report


@click.command(epilog=f"Models: {', '.join(recipe.names())}")
@click.argument("model")
@options.data
@options.skip_corrupt
@options.out
@options.assignments
@click.option("--settings", "only_settings", is_flag=True, help="Print the recipe's settings as JSON; train nothing.")
@options.epochs
@options.batch_size
@options.seed
@click.option("--resume", is_flag=True, help="Finish a run that was cut off: give its command again, with this flag.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the folder.")
@click.option("--report/--no-report", "with_report", default=True, help="Draw a page of what it did (hondo report).")
@options.accelerator
@click.option("--devices", default="auto", show_default=True, help='Lightning\'s: how many, or which ("0,1").')
@click.option("--strategy", default="auto", show_default=True, help="Lightning's: ddp, ...; torchrun is recognised.")
def train(
    *,
    model: str,
    data: str | None,
    skip_corrupt: bool,
    out: Path | None,
    assignments: tuple[str, ...],
    only_settings: bool,
    epochs: int | None,
    batch_size: int | None,
    seed: int,
    resume: bool,
    overwrite: bool,
    with_report: bool,
    accelerator: str,
    devices: str,
    strategy: str,
) -> None:
    """Train MODEL on a data set; leaves a run folder, which `hondo export` takes."""
    settings = options.changed_recipe(model, assignments, epochs, batch_size)
    if only_settings:
        click.echo(json.dumps(settings.settings(), indent=2, ensure_ascii=False))
        return
    place = Place(
        folder=out or Path("runs") / model,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        devices=Devices(accelerator=accelerator, devices=devices, strategy=strategy),
    )
    match settings:
        case FixedRecipe():
            raise click.UsageError(f"{model} has nothing to learn: `hondo export {model}` makes an artifact of it")
        case EdgeRecipe():
            train_edges(settings, data, place)
        case CaptionRecipe():
            train_captioner(settings, data, place)
        case Recipe() if isinstance(settings.input, Characters):
            _train_writer(settings, corpus.read(data, settings.validation), place)
        case Recipe():
            _train_classifier(settings, choose(data, settings, skip_corrupt=skip_corrupt), place)
    if with_report and not isinstance(settings.input, Characters):
        _draw(place.folder)
    _conclude(place.folder)


def _train_classifier(settings: Recipe, data_set: DataSet[Raw], place: Place) -> None:
    task = data_set.task(settings.input)
    facts = Facts(recipe=settings, task=task, data=(data_set.source,), seed=place.seed)
    last = place.last(facts.plain())
    _introduce(settings, data_set)
    started_s = time.monotonic()
    train_examples, test_examples = data_set.fit(task)
    place.clear(last)
    fit(facts, train_examples, place.folder, place.devices, last)
    _finish(place.folder, data_set, test_examples, time.monotonic() - started_s)


def _train_writer(settings: Recipe, text: Corpus, place: Place) -> None:
    facts = Facts(recipe=settings, task=text.task, data=(text.source,), seed=place.seed)
    last = place.last(facts.plain())
    _introduce_text(settings, text)
    started_s = time.monotonic()
    place.clear(last)
    fit_writer(facts, text, place.folder, place.devices, last)
    _finish_text(place.folder, text, time.monotonic() - started_s)


@rank_zero_only
def _introduce(settings: Recipe, data_set: DataSet[Raw]) -> None:
    click.echo(f"model  {settings.name}: {settings.source}")
    click.echo(f"data   {data_set.name}: {data_set.source.origin}")
    share = f"{settings.validation:.0%} of them to validate with"
    click.echo(f"       {len(data_set.train):,} examples to train on, {share}; {len(data_set.test):,} to test on")
    for note in data_set.notes:
        click.echo(f"       {note}")
    if (hint := better(settings, data_set)) is not None:
        click.echo(f"       {hint}")


@rank_zero_only
def _introduce_text(settings: Recipe, text: Corpus) -> None:
    click.echo(f"model  {settings.name}: {settings.source}")
    click.echo(f"data   {text.source.name}: {text.source.origin}")
    click.echo(
        f"       {len(text.train_T):,} characters to train on, {len(text.task.vocabulary)} different ones; "
        f"the last {len(text.validation_T):,} to validate with"
    )


@rank_zero_only
def _finish(folder: Path, data_set: DataSet[Raw], test: Examples, seconds: float) -> None:
    results = run.finish(folder, test, data_set.test, seconds)
    click.echo(f"trained in {_duration(seconds)}; epoch {results.best_epoch} was the best")
    click.echo(f"validation error {results.validation_error_percent:.2f} %")
    for score in results.scores:
        wrong = round(score.value * score.samples / 100)
        click.echo(f"test {score.metric:<11} {score.value:.2f} % ({wrong} of {score.samples:,}, {data_set.name})")


@rank_zero_only
def _finish_text(folder: Path, text: Corpus, seconds: float) -> None:
    results = text_run.finish(folder, text, seconds)
    click.echo(f"trained in {_duration(seconds)}; epoch {results.best_epoch} was the best")
    nats, bits = results.scores
    click.echo(f"validation loss  {nats.value:.4f} nats ({bits.value:.4f} bits) a character, of {nats.samples:,}")


@rank_zero_only
def _draw(folder: Path) -> None:
    try:
        click.echo(f"report           {report.write(folder)}")
    except Exception as error:  # noqa: BLE001  the training is done and saved, whatever becomes of its pictures
        click.echo(f"report           not drawn, {error!r}: `hondo report {folder}` tries again")


@rank_zero_only
def _conclude(folder: Path) -> None:
    click.echo(f"run folder       {folder}")
    click.echo(f"next             hondo export {folder} --to models")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
