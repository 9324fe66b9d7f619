"""`hondo classify`: pictures from files or folders, one line of labels each."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from hondo.client import DEFAULT_SERVER, AsyncClient
from hondo.errors import InvalidRequest
from hondo.images import SUFFIXES
from protos.hondo_pb2 import ClassifyResponse, Label

# Requests under way at once: enough to keep a server busy, few enough to hold few pictures in memory.
_AT_ONCE: Final = 16


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER...")
@click.option("--server", default=DEFAULT_SERVER, show_default=True, help="HOST:PORT of a Hondo server.")
@click.option("--model", default="", help="Name of the classifier; not needed where the server has only one.")
@click.option("--top-k", type=click.IntRange(min=1), default=3, show_default=True, help="Labels for each picture.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def classify(*, pictures: tuple[Path, ...], server: str, model: str, top_k: int, as_json: bool) -> None:
    """Ask a server what is in pictures (PNG, JPEG, WebP, BMP, GIF, TIFF), file by file or folder by folder."""
    paths = list(_files(pictures))
    failed = asyncio.run(_classify(paths, server, model, top_k, as_json))
    if failed:
        raise click.ClickException(f"{failed} of {len(paths)} pictures could not be classified")


async def _classify(paths: list[Path], server: str, model: str, top_k: int, as_json: bool) -> int:
    """Prints an answer for each file, in their order; gives how many failed for a reason of their own."""
    failed = 0
    width = max(len(str(path)) for path in paths)
    slots = asyncio.Semaphore(_AT_ONCE)
    async with AsyncClient(server) as client:
        asked = [asyncio.ensure_future(_ask(client, slots, path, model, top_k)) for path in paths]
        try:
            for path, task in zip(paths, asked, strict=True):
                try:
                    answer = await task
                except (InvalidRequest, OSError) as error:
                    failed += 1
                    click.echo(f"{path}: {_reason(error)}", err=True)
                else:
                    click.echo(_json(path, answer) if as_json else _line(path, answer, width))
        finally:
            for task in asked:
                task.cancel()
    return failed


async def _ask(client: AsyncClient, slots: asyncio.Semaphore, path: Path, model: str, top_k: int) -> ClassifyResponse:
    async with slots:
        return await client.classify([path], model=model, top_k=top_k)


def _reason(error: InvalidRequest | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).removeprefix("images[0]: ")


def _files(pictures: Iterable[Path]) -> Iterator[Path]:
    for path in pictures:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
            if not found:
                raise click.UsageError(f"there is no picture in the folder {path}")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise click.UsageError(f"there is no file {path}")


def _line(path: Path, answer: ClassifyResponse, width: int) -> str:
    labels = "   ".join(_label(label) for label in answer.results[0].labels)
    return f"{path!s:{width}}  {labels}"


def _label(label: Label) -> str:
    return f"{label.name} {label.probability:7.2%}"


def _json(path: Path, answer: ClassifyResponse) -> str:
    labels = [
        {"label": label.name, "index": label.index, "probability": label.probability}
        for label in answer.results[0].labels
    ]
    return json.dumps({"file": str(path), "model": answer.model, "version": answer.version, "labels": labels})
