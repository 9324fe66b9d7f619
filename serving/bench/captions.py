"""How fast a model makes captions, served and bare: `python -m serving.bench.captions MODEL --models DIR`.

The bare loop (`serving.bench.bare`) is measured just before and just after each served figure, on the same pictures.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import click
import numpy as np

from hondo import artifact
from hondo.client import AsyncClient
from hondo.process import serving
from serving.bench import machine, pictures
from serving.bench.bare import Loops, Took, typical
from serving.bench.crew import Crew

_CAPTIONS: Final = 16
_BURSTS: Final = 3
_SINGLES: Final = 16


@dataclass(frozen=True, slots=True)
class Figures:
    """One round's, milliseconds."""

    # Of the bare loop, the median batch.
    many: Took
    one: Took
    # All captions one after another: what ONNX Runtime did, and all.
    bare_in_turn_ms: float
    bare_read_in_turn_ms: float
    # So many captions side by side, and one after another.
    at_once_ms: float
    in_turn_ms: float
    # Of single requests on an idle server.
    first_ms: float
    whole_ms: float

    @property
    def read_many_ms(self) -> float:
        """The bare loop at many, from the files on."""
        return self.many.read_ms + self.many.whole_ms

    @property
    def read_one_ms(self) -> float:
        """The bare loop at one, from the file on."""
        return self.one.read_ms + self.one.whole_ms


class Served:
    """A model on a server."""

    def __init__(self, client: AsyncClient, model: str, files: Sequence[bytes]) -> None:
        self._client = client
        self._model = model
        self._files = files

    async def at_once_ms(self) -> float:
        """Gives how long all captions take side by side: the median of several times."""
        took_ms = []
        for _ in range(_BURSTS):
            started_s = time.perf_counter()
            await asyncio.gather(*[self._caption(file) for file in self._files])
            took_ms.append((time.perf_counter() - started_s) * 1000)
        return float(np.median(took_ms))

    async def in_turn(self) -> tuple[float, float, float]:
        """Gives how long they take one after another; the medians until a first word, and until a caption is whole."""
        singles = []
        for file in islice(self._files, _SINGLES):
            singles.append(await self._caption(file))
            await asyncio.sleep(0.002)
        first_ms, whole_ms = (float(np.median(each)) for each in zip(*singles, strict=True))
        return sum(whole for _, whole in singles), first_ms, whole_ms

    async def _caption(self, file: bytes) -> tuple[float, float]:
        """Gives the milliseconds until the first word, and until the end."""
        started_s, first_s = time.perf_counter(), 0.0
        async for told in self._client.caption(file, model=self._model):
            first_s = first_s or (time.perf_counter() if told.words else 0.0)
        ended_s = time.perf_counter()
        return ((first_s or ended_s) - started_s) * 1000, (ended_s - started_s) * 1000


async def _round(served: Served, loops: Loops) -> Figures:
    many, one = loops.took(_CAPTIONS), loops.took(1)
    at_once_ms = await served.at_once_ms()
    many += loops.took(_CAPTIONS)
    in_turn_ms, first_ms, whole_ms = await served.in_turn()
    one += loops.took(1)
    rounds = len(one) / _CAPTIONS
    return Figures(
        many=typical(many),
        one=typical(one),
        bare_in_turn_ms=sum(each.whole_ms for each in one) / rounds,
        bare_read_in_turn_ms=sum(each.read_ms + each.whole_ms for each in one) / rounds,
        at_once_ms=at_once_ms,
        in_turn_ms=in_turn_ms,
        first_ms=first_ms,
        whole_ms=whole_ms,
    )


async def _measure(server: str, model: str, files: Sequence[bytes], loops: Loops, rounds: int) -> list[Figures]:
    async with AsyncClient(server) as client:
        served = Served(client, model, files)
        await served.at_once_ms()
        return [await _round(served, loops) for _ in range(rounds)]


def _in_words(rounds: Sequence[Figures], settings: str) -> str:
    """Gives each round's figures, and the ratios that they make."""
    facts = machine.describe()

    def of(what: Callable[[Figures], float], form: str = ".1f") -> str:
        return "; ".join(format(what(each), form) for each in rounds)

    return "\n".join(
        [
            f"{facts.cpu}, {facts.cores} cores, load {facts.load_average:.1f}; {facts.versions}",
            f"bare at {settings}",
            f"{_CAPTIONS} captions at once, ms: {of(lambda each: each.at_once_ms)}",
            f"  one after another: {of(lambda each: each.in_turn_ms)}",
            f"  ratio: {of(lambda each: each.in_turn_ms / each.at_once_ms, '.2f')}",
            f"  bare at batch {_CAPTIONS}: {of(lambda each: each.many.whole_ms)}",
            f"  bare, from the files on: {of(lambda each: each.read_many_ms)}",
            f"  bare over served: {of(lambda each: each.many.whole_ms / each.at_once_ms, '.2f')}",
            f"  bare from the files on over served: {of(lambda each: each.read_many_ms / each.at_once_ms, '.2f')}",
            f"  bare one after another over at once: "
            f"{of(lambda each: each.bare_in_turn_ms / each.many.whole_ms, '.2f')}",
            f"  the same from the files on: {of(lambda each: each.bare_read_in_turn_ms / each.read_many_ms, '.2f')}",
            f"one caption on an idle server, ms, first word: {of(lambda each: each.first_ms)}",
            f"  bare encoding: {of(lambda each: each.one.encode_ms)}",
            f"  decoding and resizing before it: {of(lambda each: each.one.read_ms)}",
            f"  whole: {of(lambda each: each.whole_ms)}",
            f"  bare: {of(lambda each: each.one.whole_ms)}",
            f"  whole over bare: {of(lambda each: each.whole_ms / each.one.whole_ms, '.2f')}",
            f"  whole over bare from the file on: {of(lambda each: each.whole_ms / each.read_one_ms, '.2f')}",
        ]
    )


def _files(place: Path) -> list[bytes]:
    """Gives so many picture files, over and over where there are fewer."""
    data = [path.read_bytes() for path in pictures.files(place)]
    return [data[number % len(data)] for number in range(_CAPTIONS)]


@click.command()
@click.argument("model")
@click.argument("serve_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- SERVE_OPTIONS...]")
@click.option(
    "--models", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of models to serve."
)
@click.option(
    "--images", "place", type=click.Path(path_type=Path, exists=True), required=True, help="Picture, or folder."
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often to measure everything.")
def bench(*, model: str, serve_options: tuple[str, ...], models: Path, place: Path, rounds: int) -> None:
    """Measure how fast MODEL makes captions, served and bare."""
    newest = max((models / model).iterdir(), key=lambda place: int(place.name) if place.name.isdecimal() else 0)
    read = artifact.read(newest)
    files = _files(place)
    with serving(models, "--device", "cpu", *serve_options) as server, Crew(1) as crew:
        loops = Loops(crew, read, files)
        figures = asyncio.run(_measure(server, read.manifest.name, files, loops, rounds))
        click.echo(_in_words(figures, loops.settings()))


if __name__ == "__main__":
    bench()
