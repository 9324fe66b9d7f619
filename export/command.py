"""`hondo export`: from a run folder to a published artifact."""

import time
from collections.abc import Callable
from pathlib import Path

import click

from export import candidate, publish
from export.build import build
from export.precision import material
from export.precision.choice import Lowering, Name
from export.precision.options import precision_options
from export.writing import build as writing
from training import run as runs
from training import text_run
from training.data import choice
from training.run import Run
from training.text_run import is_text_run


@click.command()
@click.argument("run_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
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
@precision_options
def export(
    *,
    run_folder: Path,
    models: Path,
    name: str | None,
    version: int | None,
    precision: Name,
    data: str | None,
    max_drop_points: float,
) -> None:
    """Export the trained net in RUN_FOLDER to ONNX, prove the file, and publish it as NAME/VERSION.

    The proof runs the code that serves: at several batch sizes and on examples that the training never saw, it must
    give PyTorch's probabilities. Where it does not, nothing is published. In a lower precision it must also answer the
    test data of the set that the net was trained on about as well as before; a net that writes must foretell the text
    that was kept for validation about as well.
    """
    started_s = time.monotonic()
    make = _writer if is_text_run(run_folder) else _classifier
    run_name, write = make(run_folder, precision, data, max_drop_points)
    try:
        target = publish.place(models, name or run_name, version)
        with publish.staged(target) as folder:
            write(folder)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"done     {target} in {time.monotonic() - started_s:.1f} s; next: hondo serve {models}")


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


def _lowering(run: Run, precision: Name, data: str | None, max_drop_points: float) -> Lowering | None:
    if precision == Name.FP32:
        return None
    if data is None:
        trained_on = " and ".join(source.name for source in run.data)
        raise click.UsageError(
            f"--precision {precision} is made and scored with the net's own data: --data {trained_on}"
        )
    return material.of_data_set(precision, choice.read(data), run.task, run.data, max_drop_points)
