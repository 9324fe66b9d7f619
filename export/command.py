"""`hondo export`: from a run folder to a published artifact."""

import time
from collections.abc import Callable
from pathlib import Path

import click

from export import candidate, publish
from export.build import build
from export.captions import build as captions
from export.precision import material
from export.precision.choice import Lowering, Name
from export.precision.options import precision_options
from export.whole import build as whole
from export.whole import candidate as whole_candidate
from export.whole import pictures
from export.writing import build as writing
from training import options, text_run
from training import run as runs
from training.captions import run as caption_run
from training.captions.run import is_caption_run
from training.data import choice
from training.edges import run as edges_run
from training.edges.run import is_edge_run
from training.fixed import FixedRecipe
from training.recipe import names_of
from training.run import Run
from training.text_run import is_text_run


@click.command()
@click.argument("source", metavar="RUN|MODEL")
@click.option(
    "--to",
    "models",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("models"),
    show_default=True,
    help="The folder of models.",
)
@click.option("--name", help="The model's name; the run's, unless given.")
@click.option("--version", type=click.IntRange(1, 2**32 - 1), help="The next free one, unless given.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="SETTING=VALUE",
    help="For MODEL: change a setting of its recipe, such as net.padding=zero.",
)
@precision_options
def export(
    *,
    source: str,
    assignments: tuple[str, ...],
    models: Path,
    name: str | None,
    version: int | None,
    precision: Name,
    data: str | None,
    max_drop_points: float,
) -> None:
    """Export a trained net to ONNX, prove the file, and publish it as NAME/VERSION.

    RUN is the folder of a training; MODEL is the name of one that has nothing to learn, such as sobel.

    The proof runs the code that serves: at several batch sizes and on examples that the training never saw, it must
    give PyTorch's probabilities. Where it does not, nothing is published. In a lower precision it must also answer the
    test data of the set that the net was trained on about as well as before; a net that writes must foretell the text
    that was kept for validation about as well; a captioner must make about as good captions of the pictures kept.
    """
    started_s = time.monotonic()
    if source in names_of(FixedRecipe) and not Path(source).exists():
        _refuse(precision, data, "has nothing to learn")
        run_name, write = _fixed(source, assignments)
    elif assignments:
        raise click.UsageError("--set is for a model that has nothing to learn: a run has its settings")
    else:
        run_name, write = _trained(_folder(source), precision, data, max_drop_points)
    try:
        target = publish.place(models, name or run_name, version)
        with publish.staged(target) as folder:
            write(folder)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"done     {target} in {time.monotonic() - started_s:.1f} s; next: hondo serve {models}")


def _folder(source: str) -> Path:
    folder = Path(source)
    if not folder.is_dir():
        there_is = ", ".join(names_of(FixedRecipe))
        raise click.UsageError(f"there is no run folder {source}, and no model of that name: there is {there_is}")
    return folder


def _trained(
    folder: Path, precision: Name, data: str | None, max_drop_points: float
) -> tuple[str, Callable[[Path], None]]:
    if is_edge_run(folder):
        _refuse(precision, data, "is an edge detector")
        return _detector(folder)
    make = _captioner if is_caption_run(folder) else _writer if is_text_run(folder) else _classifier
    return make(folder, precision, data, max_drop_points)


def _refuse(precision: Name, data: str | None, what: str) -> None:
    if precision != Name.FP32 or data is not None:
        raise click.UsageError(
            f"--precision and --data are for classifiers, nets that write and captioners; this {what}"
        )


def _fixed(name: str, assignments: tuple[str, ...]) -> tuple[str, Callable[[Path], None]]:
    recipe = options.changed_recipe(name, assignments, None, None)
    assert isinstance(recipe, FixedRecipe), "the name is that of one"
    click.echo(f"model    {name}: {recipe.source}")
    return name, lambda folder: whole.build(whole_candidate.of_fixed(recipe, pictures.shipped()), folder, click.echo)


def _detector(folder: Path) -> tuple[str, Callable[[Path], None]]:
    run = edges_run.load(folder)
    name = run.facts.recipe.name
    click.echo(f"run      {folder}: {name}, {run.parameters:,} parameters")
    return name, lambda to: whole.build(whole_candidate.of_run(run, pictures.shipped()), to, click.echo)


def _classifier(
    run_folder: Path, precision: Name, data: str | None, max_drop_points: float
) -> tuple[str, Callable[[Path], None]]:
    """Gives the run's name, and what writes its artifact."""
    run = runs.load(run_folder)
    click.echo(f"run      {run_folder}: {run.name}, {run.parameters:,} parameters, {len(run.task.labels)} labels")
    lowering = _lowering(run, precision, data, max_drop_points)
    return run.name, lambda folder: build(candidate.of_run(run), folder, click.echo, lowering)


def _writer(
    run_folder: Path, precision: Name, data: str | None, _max_drop_points: float
) -> tuple[str, Callable[[Path], None]]:
    if data is not None:
        raise click.UsageError("--data is for classifiers: the run of a net that writes holds the text it is scored on")
    run = text_run.load(run_folder)
    characters = len(run.task.vocabulary)
    click.echo(f"run      {run_folder}: {run.name}, {run.parameters:,} parameters, {characters} characters")
    return run.name, lambda folder: writing.build(run, folder, click.echo, precision)


def _captioner(
    run_folder: Path, precision: Name, data: str | None, _max_drop_points: float
) -> tuple[str, Callable[[Path], None]]:
    if data is not None:
        raise click.UsageError("--data is for classifiers: the run of a captioner holds the pictures it is scored on")
    run, kept = caption_run.load(run_folder), caption_run.read_kept(run_folder)
    name, words = run.facts.recipe.name, len(run.facts.vocabulary)
    click.echo(f"run      {run_folder}: {name}, {run.parameters:,} parameters, {words:,} words")
    return name, lambda folder: captions.build(run, kept, folder, click.echo, precision)


def _lowering(run: Run, precision: Name, data: str | None, max_drop_points: float) -> Lowering | None:
    if precision == Name.FP32:
        return None
    if data is None:
        trained_on = " and ".join(source.name for source in run.data)
        raise click.UsageError(
            f"--precision {precision} is made and scored with the net's own data: --data {trained_on}"
        )
    return material.of_data_set(precision, choice.read(data), run.task, run.data, max_drop_points)
