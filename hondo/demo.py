"""`hondo demo`: the shortest way to an answer, on the released models."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from hondo.client import Client
from hondo.drawing import strip
from hondo.images import SUFFIXES, decode
from hondo.process import serving


@click.command()
@click.option(
    "--models",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("models"),
    show_default=True,
    help="Folder of the released models.",
)
def demo(*, models: Path) -> None:
    """Serve the released models, ask them about real pictures through the client, stop the server."""
    click.echo(f"$ hondo serve {models} &")
    started_s = time.monotonic()
    with serving(models) as server:
        click.echo(f"  ready on {server} after {time.monotonic() - started_s:.1f} s\n")
        samples = models / "lenet5" / "samples"
        click.echo(f"$ hondo classify {samples}")
        show_digits(server, sorted(path for path in samples.iterdir() if path.suffix in SUFFIXES), "lenet5")
    click.echo("\nThe server was stopped. Next: `make tour` trains, exports and serves a model of your own.")


def show_digits(server: str, pictures: Sequence[Path], model: str) -> None:
    """Draws pictures in the terminal with the server's answer under each."""
    with Client(server) as client:
        started_s = time.monotonic()
        answer = client.classify(pictures, model=model, top_k=1)
        took_ms = (time.monotonic() - started_s) * 1000
    best = [result.labels[0] for result in answer.results]
    captions = [f"{label.name} ({label.probability:.1%})" for label in best]
    click.echo(strip([decode(path.read_bytes()) for path in pictures], captions))
    click.echo(f"\n{len(pictures)} handwritten digits named by {model} version {answer.version} in {took_ms:.0f} ms.")
