"""`hondo report`: what a training did, as a page to look at."""

from pathlib import Path

import click

from training.report.report import write


@click.command()
@click.argument("run_folder", type=click.Path(path_type=Path))
def report(*, run_folder: Path) -> None:
    """Draw the report of RUN_FOLDER anew: curves, confusions, worst mistakes, and a look into the net."""
    click.echo(write(run_folder))
