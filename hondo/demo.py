"""`hondo demo`: the shortest way to an answer, on the released models."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from hondo.classify import shown_labels
from hondo.client import Client
from hondo.drawing import strip
from hondo.images import SUFFIXES, decode
from hondo.process import serving

_DIGITS: Final = "lenet5"
_PHOTOS: Final = "efficientnet-lite0"
_QUESTIONS: Final = "textcnn-trec"
_QUESTION: Final = "Who wrote War and Peace?"


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
        digits, photos = _samples(models, _DIGITS), _samples(models, _PHOTOS)
        click.echo(f"$ hondo classify --model {_DIGITS} {digits[0].parent}")
        show_digits(server, digits, _DIGITS)
        with Client(server) as client:
            _show_photos(client, photos)
            _show_question(client)
    click.echo("\nThe server was stopped. Next: `make tour` trains, exports and serves a model of your own.")


def _samples(models: Path, name: str) -> list[Path]:
    return sorted(path for path in (models / name / "samples").iterdir() if path.suffix in SUFFIXES)


def _show_photos(client: Client, photos: Sequence[Path]) -> None:
    for path, result in zip(photos, client.classify(photos, model=_PHOTOS, top_k=3).results, strict=True):
        click.echo(f"\n$ hondo classify --model {_PHOTOS} {path}\n  {shown_labels(result.labels)}")


def _show_question(client: Client) -> None:
    answer = client.classify(texts=[_QUESTION], model=_QUESTIONS, top_k=3)
    click.echo(f'\n$ hondo classify --text "{_QUESTION}"\n  {shown_labels(answer.results[0].labels)}')


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
