"""`hondo demo`: the shortest way to an answer, on the released models."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from hondo import maps
from hondo.classify import shown_labels
from hondo.client import Client
from hondo.drawing import strip
from hondo.images import SUFFIXES, decode
from hondo.process import serving
from protos.hondo_pb2 import EdgeFormat

_DIGITS: Final = "lenet5"
_PHOTOS: Final = "efficientnet-lite0"
_QUESTIONS: Final = "textcnn-trec"
_QUESTION: Final = "Who wrote War and Peace?"
_EDGES: Final = "hed-lite"
_CAPTIONS: Final = "captioner"
_WRITER: Final = "shakespeare"
_PROMPT: Final = "ROMEO:"
_CHARACTERS: Final = 240
_TEMPERATURE: Final = 0.6


@click.command()
@click.option(
    "--models",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("models"),
    show_default=True,
    help="Folder of the released models.",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path("runs/demo"),
    show_default=True,
    help="Folder for the map of edges.",
)
def demo(*, models: Path, into: Path) -> None:
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
            _show_caption(client, photos[0])
            _show_question(client)
            _show_edges(client, photos[0], into / f"{photos[0].stem}-edges.png")
            _show_writing(client)
    click.echo("\nThe server was stopped. Next: `make tour` trains, exports and serves a model of your own.")


def _samples(models: Path, name: str) -> list[Path]:
    return sorted(path for path in (models / name / "samples").iterdir() if path.suffix in SUFFIXES)


def _show_photos(client: Client, photos: Sequence[Path]) -> None:
    for path, result in zip(photos, client.classify(photos, model=_PHOTOS, top_k=3).results, strict=True):
        click.echo(f"\n$ hondo classify --model {_PHOTOS} {path}\n  {shown_labels(result.labels)}")


def _show_caption(client: Client, photo: Path) -> None:
    click.echo(f"\n$ hondo caption {photo}\n ", nl=False)
    for told in client.caption(photo, model=_CAPTIONS):
        click.echo("".join(f" {word.text}" for word in told.words), nl=False)
    click.echo()


def _show_question(client: Client) -> None:
    answer = client.classify(texts=[_QUESTION], model=_QUESTIONS, top_k=3)
    click.echo(f'\n$ hondo classify --text "{_QUESTION}"\n  {shown_labels(answer.results[0].labels)}')


def _show_edges(client: Client, photo: Path, place: Path) -> None:
    (found,) = client.detect_edges([photo], model=_EDGES, bits=8)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(maps.encode(found.edges_HW, EdgeFormat.PNG_8))
    click.echo(f"\n$ hondo edges --model {_EDGES} {photo} -o {place}\n  {photo} -> {place}")


def _show_writing(client: Client) -> None:
    settings = f"--max-characters {_CHARACTERS} --temperature {_TEMPERATURE}"
    click.echo(f'\n$ hondo generate --model {_WRITER} --prompt "{_PROMPT}" {settings}')
    click.echo(_PROMPT, nl=False)
    for piece in client.generate(_PROMPT, model=_WRITER, max_characters=_CHARACTERS, temperature=_TEMPERATURE):
        click.echo(piece.text, nl=False)
    click.echo()


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
