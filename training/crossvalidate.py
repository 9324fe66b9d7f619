"""`hondo cross-validate`: as many trainings as folds, each tested on the fold that it never saw."""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from protos.manifest_pb2 import Classification, Score
from training import checkpoint, options, recipe, run
from training.checkpoint import Facts
from training.data import folds as parts
from training.data.choice import choose
from training.data.dataset import DataSet, Raw
from training.fit import Devices, fit
from training.recipe import Recipe

RESULTS: Final = "cross-validation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What all folds have in common."""

    recipe: Recipe
    data: DataSet[Raw]
    folds: int
    seed: int
    folder: Path
    devices: Devices

    def fold_folder(self, fold: int) -> Path:
        return self.folder / f"fold-{fold + 1}"


@click.command("cross-validate", epilog=f"Models: {', '.join(recipe.names())}")
@click.argument("model")
@options.data
@options.skip_corrupt
@click.option("--folds", type=click.IntRange(2), default=parts.FOLDS, show_default=True, help="How many there are.")
@options.out
@options.assignments
@options.epochs
@options.batch_size
@options.seed
@click.option("--resume", is_flag=True, help="Go on: keep finished folds, finish the one that was cut off.")
@click.option("--overwrite", is_flag=True, help="Train all folds anew.")
@options.accelerator
def cross_validate(
    *,
    model: str,
    data: str | None,
    skip_corrupt: bool,
    folds: int,
    out: Path | None,
    assignments: tuple[str, ...],
    epochs: int | None,
    batch_size: int | None,
    seed: int,
    resume: bool,
    overwrite: bool,
    accelerator: str,
) -> None:
    """Train MODEL as often as there are folds, and score each net on the fold that it never saw.

    The folds are of all examples where the data set has no part to test on (MR; your own without one); else of its
    training part, so that its test stays unseen. They are drawn at random but always alike, each class spread evenly. A
    net's vocabulary, and the means and deviations of columns, are those of its own training part.

    Each fold leaves a run folder, fold-1 and so on, in the folder; cross-validation.json has the errors, their mean and
    their standard deviation.
    """
    settings = options.changed_recipe(model, assignments, epochs, batch_size)
    data_set = choose(data, settings, skip_corrupt=skip_corrupt)
    devices = Devices(accelerator=accelerator, devices="1")
    folder = out or Path("runs") / model
    plan = _Plan(recipe=settings, data=data_set, folds=folds, seed=seed, folder=folder, devices=devices)
    _check_room(plan, resume=resume, overwrite=overwrite)
    _introduce(plan)
    scores = [_score(plan, fold) for fold in range(folds)]
    _conclude(plan, scores)


def _check_room(plan: _Plan, *, resume: bool, overwrite: bool) -> None:
    used = [folder for folder in plan.folder.glob("fold-*") if (folder / run.CHECKPOINTS).exists()]
    if used and not (resume or overwrite):
        raise click.UsageError(f"{plan.folder} holds folds: --resume goes on with them, --overwrite replaces them")
    if overwrite:
        (plan.folder / RESULTS).unlink(missing_ok=True)
        for folder in used:
            run.clear(folder)


def _introduce(plan: _Plan) -> None:
    data = plan.data
    click.echo(f"model  {plan.recipe.name}: {plan.recipe.source}")
    click.echo(f"data   {data.name}: {data.source.origin}")
    which = "training examples; its test stays unseen" if data.whole is None else "examples"
    count = len(data.train if data.whole is None else data.whole)
    click.echo(f"       {plan.folds} folds of its {count:,} {which}")
    for note in data.notes:
        click.echo(f"       {note}")


def _score(plan: _Plan, fold: int) -> Score:
    """Trains on all folds but one, unless that is done; gives the error on that one."""
    data, folder = parts.of(plan.data, fold, plan.folds), plan.fold_folder(fold)
    facts = Facts(recipe=plan.recipe, task=data.task(plan.recipe.input), data=(data.source,), seed=plan.seed)
    if not run.is_finished(folder):
        _train(facts, data, folder, plan.devices)
    else:
        _check_same(facts, run.checkpoint_path(folder, run.BEST))
    score = run.read_results(folder).scores[0]
    wrong = round(score.value * score.samples / 100)
    click.echo(
        f"fold {fold + 1:>2} of {plan.folds}: {score.metric} {score.value:6.2f} % ({wrong} of {score.samples:,})"
    )
    return score


def _train(facts: Facts, data: DataSet[Raw], folder: Path, devices: Devices) -> None:
    started_s = time.monotonic()
    assert isinstance(facts.task, Classification), "data sets have this task"
    train, test = data.fit(facts.task)
    last = run.checkpoint_path(folder, run.LAST)
    if last.exists():
        _check_same(facts, last)
    else:
        run.clear(folder)
    fit(facts, train, folder, devices, last if last.exists() else None)
    run.finish(folder, test, data.test, time.monotonic() - started_s)


def _check_same(facts: Facts, path: Path) -> None:
    if found := checkpoint.differences(facts.plain(), checkpoint.read(path).facts.plain()):
        raise click.UsageError(f"--resume goes on with the settings that {path} began with, but {'; '.join(found)}")


def _conclude(plan: _Plan, scores: Sequence[Score]) -> None:
    errors = [score.value for score in scores]
    mean, deviation = statistics.mean(errors), statistics.stdev(errors)
    results = {
        "model": plan.recipe.name,
        "data": plan.data.name,
        "seed": plan.seed,
        "folds": [
            {"run": plan.fold_folder(fold).name, "error_percent": score.value, "examples": score.samples}
            for fold, score in enumerate(scores)
        ],
        "mean_error_percent": mean,
        "standard_deviation_percent": deviation,
    }
    path = plan.folder / RESULTS
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", "utf-8")
    click.echo(f"mean error {mean:.2f} %, standard deviation {deviation:.2f} points over {plan.folds} folds")
    click.echo(f"results    {path}")
