"""`hondo export`: from a run folder to a published artifact."""

import time
from pathlib import Path

import click

from export import candidate, publish
from export.build import build
from export.precision import material
from export.precision.choice import Lowering, Name
from export.precision.options import precision_options
from training import run as runs
from training.data import choice
from training.run import Run


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
    test data of the set that the net was trained on about as well as before.
    """
    started_s = time.monotonic()
    run = runs.load(run_folder)
    click.echo(f"run      {run_folder}: {run.name}, {run.parameters:,} parameters, {len(run.task.labels)} labels")
    lowering = _lowering(run, precision, data, max_drop_points)
    try:
        target = publish.place(models, name or run.name, version)
        with publish.staged(target) as folder:
            build(candidate.of_run(run), folder, click.echo, lowering)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"done     {target} in {time.monotonic() - started_s:.1f} s; next: hondo serve {models}")


def _lowering(run: Run, precision: Name, data: str | None, max_drop_points: float) -> Lowering | None:
    if precision == Name.FP32:
        return None
    if data is None:
        trained_on = " and ".join(source.name for source in run.data)
        raise click.UsageError(
            f"--precision {precision} is made and scored with the net's own data: --data {trained_on}"
        )
    return material.of_data_set(precision, choice.read(data), run.task, run.data, max_drop_points)
