"""`hondo export`: from a run folder to a published artifact."""

import time
from pathlib import Path

import click

from export import publish
from export.build import build
from training import run as runs


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
def export(*, run_folder: Path, models: Path, name: str | None, version: int | None) -> None:
    """Export the trained net in RUN_FOLDER to ONNX, prove the file, and publish it as NAME/VERSION.

    The proof runs the code that serves: at several batch sizes and on pictures that the training never saw, it must
    give PyTorch's probabilities. Where it does not, nothing is published.
    """
    started_s = time.monotonic()
    run = runs.load(run_folder)
    click.echo(f"run      {run_folder}: {run.name}, {run.parameters:,} parameters, {len(run.task.labels)} labels")
    try:
        target = publish.place(models, name or run.name, version)
        with publish.staged(target) as folder:
            build(run, folder, click.echo)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"done     {target} in {time.monotonic() - started_s:.1f} s; next: hondo serve {models}")
