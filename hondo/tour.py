"""`hondo tour`: the whole road on data that a package ships: train, export through the gate, serve, ask."""

import shutil
import time
from pathlib import Path

import click
from PIL import Image

from hondo import artifact, process
from hondo.demo import show_digits

_MODEL = "lenet5"


@click.command()
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path("runs/tour"),
    show_default=True,
    help="Folder for what the tour makes; emptied first.",
)
def tour(*, into: Path) -> None:
    """Train a small LeNet-5, export it through the gate, serve it, ask it about digits it never saw."""
    started_s = time.monotonic()
    shutil.rmtree(into, ignore_errors=True)
    run, models = into / "run", into / "models"
    _step("train", _MODEL, "--data", "digits", "--epochs", "12", "--batch-size", "64", "--out", str(run))
    _step("export", str(run), "--to", str(models))
    click.echo(f"$ hondo serve {models} &")
    with process.serving(models) as server:
        click.echo(f"  ready on {server}\n\n$ hondo classify {into / 'digits'}")
        show_digits(server, _write_digits(models / _MODEL / "1", into / "digits"), _MODEL)
    click.echo(f"\nTrained, exported, proved, served and asked in {time.monotonic() - started_s:.0f} s.")
    click.echo(f"What was made lies in {into}.")


def _step(*arguments: str) -> None:
    click.echo(f"$ hondo {' '.join(arguments)}")
    process.run(*arguments)
    click.echo()


def _write_digits(place: Path, folder: Path) -> list[Path]:
    """Writes the artifact's golden samples, pictures that the training never saw, as PNG files."""
    folder.mkdir(parents=True)
    inputs, _ = artifact.read(place).golden(artifact.MODEL)
    paths = []
    for number, image_HWC in enumerate(inputs["image"]):
        paths.append(folder / f"digit-{number}.png")
        Image.fromarray(image_HWC[:, :, 0]).save(paths[-1])
    return paths
