"""`hondo train`: from a recipe and a data set to a run folder."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
from lightning.pytorch.utilities import rank_zero_only

from training import checkpoint, recipe, run
from training.checkpoint import Facts
from training.data.choice import choose
from training.data.dataset import DataSet
from training.data.mnist import MNIST
from training.fit import Devices, fit
from training.recipe import Recipe

_OF_THE_RECIPE: Final = "the model's recipe"


@click.command(epilog=f"Models: {', '.join(recipe.names())}")
@click.argument("model")
@click.option(
    "--data",
    metavar="FOLDER|digits",
    show_default="Fashion-MNIST where Debian's package of it is installed, else digits",
    help="Folder with the four idx files of MNIST or of a set in that form; or scikit-learn's digits.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", show_default="runs/MODEL", help="Run folder to write."
)
@click.option(
    "--epochs", type=click.IntRange(1), show_default=_OF_THE_RECIPE, help="Most epochs; fewer where it stops early."
)
@click.option(
    "--batch-size", type=click.IntRange(1), show_default=_OF_THE_RECIPE, help="Pictures in a step, over all devices."
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    show_default=_OF_THE_RECIPE,
    help="Highest one of the schedule.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="The same seed gives the same net."
)
@click.option("--resume", is_flag=True, help="Finish a run that was cut off: give its command again, with this flag.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the folder.")
@click.option("--accelerator", default="auto", show_default=True, help="Lightning's: cpu, gpu, ...")
@click.option("--devices", default="auto", show_default=True, help='Lightning\'s: how many, or which ("0,1").')
@click.option("--strategy", default="auto", show_default=True, help="Lightning's: ddp, ...; torchrun is recognised.")
def train(
    *,
    model: str,
    data: str | None,
    out: Path | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int,
    resume: bool,
    overwrite: bool,
    accelerator: str,
    devices: str,
    strategy: str,
) -> None:
    """Train MODEL on a data set; leaves a run folder, which `hondo export` takes."""
    chosen = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    settings = _recipe(model, chosen)
    folder = out or Path("runs") / model
    data_set = choose(data).fit(settings.image)
    facts = Facts(recipe=settings, labels=data_set.labels, data=(data_set.source,), seed=seed)
    last = _resumable(folder, facts) if resume else None
    if last is None:
        _make_room(folder, overwrite)
    _introduce(settings, data_set)
    started_s = time.monotonic()
    used = Devices(accelerator=accelerator, devices=devices, strategy=strategy)
    fit(facts, data_set.train, folder, used, last)
    _finish(folder, data_set, time.monotonic() - started_s)


def _recipe(model: str, chosen: Mapping[str, Any]) -> Recipe:
    return replace(recipe.find(model), **{name: value for name, value in chosen.items() if value is not None})


@rank_zero_only
def _make_room(folder: Path, overwrite: bool) -> None:
    if (folder / run.CHECKPOINTS).exists():
        if not overwrite:
            raise click.UsageError(
                f"{folder} holds a run: --overwrite replaces it, --resume finishes it if it was cut off"
            )
        run.clear(folder)


def _resumable(folder: Path, facts: Facts) -> Path:
    last = run.checkpoint_path(folder, run.LAST)
    if run.is_finished(folder) or not last.exists():
        raise click.UsageError(f"{folder} holds no run that was cut off")
    if found := checkpoint.differences(facts, checkpoint.read(last).facts):
        raise click.UsageError(f"--resume goes on with the settings that the run began with, but {'; '.join(found)}")
    return last


@rank_zero_only
def _introduce(settings: Recipe, data_set: DataSet) -> None:
    click.echo(f"model  {settings.name}: {settings.source}")
    click.echo(f"data   {data_set.name}: {data_set.source.origin}")
    share = f"{settings.validation:.0%} of them to validate with"
    click.echo(f"       {len(data_set.train):,} pictures to train on, {share}; {len(data_set.test):,} to test on")
    if data_set.name != MNIST.name:
        click.echo(f"       for MNIST: --data FOLDER with its four files, from {MNIST.where}")


@rank_zero_only
def _finish(folder: Path, data_set: DataSet, seconds: float) -> None:
    results = run.finish(folder, data_set.test, seconds)
    test = results.test_error
    wrong = round(test.value * test.samples / 100)
    click.echo(f"trained in {_duration(seconds)}; epoch {results.best_epoch} was the best")
    click.echo(f"validation error {results.validation_error_percent:.2f} %")
    click.echo(f"test error       {test.value:.2f} % ({wrong} of {test.samples:,}, {data_set.name})")
    click.echo(f"run folder       {folder}")
    click.echo(f"next             hondo export {folder} --to models")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
