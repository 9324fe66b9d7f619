"""How fast a model writes, served and bare: `python -m serving.bench.writing MODEL --models DIR`.

Raw is the graph "step" on ONNX Runtime in a process of its own, at as many rows as there are streams and the best of
its settings, with nothing before or behind it. It is measured just before and just after each served figure.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np

from hondo import artifact
from hondo.artifact import Artifact, Tensors
from hondo.client import AsyncClient
from hondo.process import serving
from serving.bench import machine
from serving.bench.crew import Crew
from serving.bench.raw import Raw, Setting
from serving.cores import available
from serving.decode.graphs import LENGTH, PREFILL, STEP, TOKENS, UNIFORM
from serving.device import Device

_STREAMS: Final = 32
# Of which each asks for so many characters, where streams are held against one after another.
_SHORT: Final = 200
_PROMPT: Final = 100
_FIRSTS: Final = 40
# How long each raw figure is measured, as a share of a served one.
_RAW_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Figures:
    """One round's: characters a second, unless another unit is named."""

    raw_many: float
    raw_one: float
    served_many: float
    served_one: float
    # The same short requests at once, and one after another.
    at_once: float
    in_turn: float
    # Milliseconds from asking to the first characters, of each of many requests; and what raw takes to read the prompt.
    first_ms: Sequence[float]
    raw_read_ms: float


class Bare:
    """The graphs of an artifact on raw ONNX Runtime."""

    def __init__(self, crew: Crew, read: Artifact, device: Device, seconds: float) -> None:
        feeds, _ = read.golden(STEP)
        self._steps: int = feeds[UNIFORM].shape[1]
        step, prefill = read.graph_path(STEP), read.graph_path(PREFILL)
        self._raws = {rows: Raw(crew, step, device, [_resized(feeds, rows)], rows) for rows in (1, _STREAMS)}
        self._seconds = seconds
        self._best = {rows: _best(raw, rows, seconds) for rows, raw in self._raws.items()}
        self._read = Raw(crew, prefill, device, [_prompt(read.golden(PREFILL)[0])], 1)
        self._best_read = _best(self._read, 1, seconds)

    def per_s(self, rows: int) -> float:
        """Gives the characters a second at a batch of so many rows, at its best setting."""
        rows_per_s: float = self._raws[rows].measure(self._best[rows], self._seconds).per_s
        return rows_per_s * self._steps

    def read_ms(self) -> float:
        """Gives how long it takes to read a prompt, milliseconds."""
        p50_ms: float = self._read.measure(self._best_read, self._seconds).p50_ms
        return p50_ms

    def settings(self) -> str:
        """Says which those are."""
        named = {**{f"{rows} rows": best for rows, best in self._best.items()}, "reading": self._best_read}
        return ", ".join(
            f"{name}: {best.threads} threads{', spinning' if best.spinning else ''}" for name, best in named.items()
        )


def _best(raw: Raw, rows: int, seconds: float) -> Setting:
    tried = [Setting(rows, 1, each, spinning) for each in sorted({1, available()}) for spinning in (False, True)]
    return max(tried, key=lambda setting: raw.measure(setting, seconds / 2).per_s)


def _prompt(feeds: Tensors) -> Tensors:
    """Gives one golden row of "prefill", its tokens over and over to the length of the prompt."""
    tokens_1T = np.resize(feeds[TOKENS][:1], (1, _PROMPT + 1))
    return {**_resized(feeds, 1), TOKENS: tokens_1T, LENGTH: np.full(1, _PROMPT + 1)}


def _resized(feeds: Tensors, rows: int) -> Tensors:
    return {name: np.resize(array, (rows, *array.shape[1:])) for name, array in feeds.items()}


class Served:
    """A model on a server."""

    def __init__(self, client: AsyncClient, model: str, vocabulary: Sequence[str]) -> None:
        self._client = client
        self._model = model
        letters = [each for each in vocabulary if each.isalpha()] or list(vocabulary)
        self._prompt = "".join(np.random.default_rng(0).choice(letters, _PROMPT))

    async def at_once(self, streams: int, characters: int) -> float:
        """Gives the characters a second of so many streams side by side."""

        async def all_of_them() -> None:
            await asyncio.gather(*[self._write(characters, seed) for seed in range(streams)])

        return streams * characters / await _took_s(all_of_them)

    async def in_turn(self, streams: int, characters: int) -> float:
        """Gives the characters a second of so many streams one after another."""

        async def all_of_them() -> None:
            for seed in range(streams):
                await self._write(characters, seed)

        return streams * characters / await _took_s(all_of_them)

    async def first_ms(self) -> list[float]:
        """Gives how long each of many requests waits for its first characters on an idle server."""
        took_ms = []
        for seed in range(_FIRSTS):
            await asyncio.sleep(0.01)
            started_s = time.perf_counter()
            pieces = self._client.generate(self._prompt, model=self._model, max_characters=8, seed=seed)
            await anext(pieces)
            took_ms.append((time.perf_counter() - started_s) * 1000)
            async for _ in pieces:
                pass
        return took_ms

    async def _write(self, characters: int, seed: int) -> None:
        written = 0
        asked = self._client.generate(self._prompt[:6], model=self._model, max_characters=characters, seed=seed)
        async for piece in asked:
            written += len(piece.text)
        assert written == characters, f"{characters} characters were asked for, {written} came"


async def _took_s(what: Callable[[], Awaitable[None]]) -> float:
    started_s = time.perf_counter()
    await what()
    return time.perf_counter() - started_s


async def _round(served: Served, bare: Bare, seconds: float) -> Figures:
    """Measures everything once, as long as `seconds` and then some."""
    raw_many, raw_one = [bare.per_s(_STREAMS)], [bare.per_s(1)]
    served_many = await served.at_once(_STREAMS, round(raw_many[0] * seconds / _STREAMS))
    raw_many.append(bare.per_s(_STREAMS))
    served_one = await served.at_once(1, round(raw_one[0] * seconds))
    raw_one.append(bare.per_s(1))
    return Figures(
        raw_many=float(np.mean(raw_many)),
        raw_one=float(np.mean(raw_one)),
        served_many=served_many,
        served_one=served_one,
        at_once=await served.at_once(_STREAMS, _SHORT),
        in_turn=await served.in_turn(_STREAMS, _SHORT),
        first_ms=await served.first_ms(),
        raw_read_ms=bare.read_ms(),
    )


def _in_words(rounds: Sequence[Figures], settings: str) -> str:
    """Gives a table: each round's figure, and the ratios that they make."""
    first_ms = np.concatenate([each.first_ms for each in rounds])
    p50_ms, p90_ms = np.percentile(first_ms, [50, 90])

    def of(what: Callable[[Figures], float], form: str) -> str:
        return "; ".join(format(what(each), form) for each in rounds)

    facts = machine.describe()
    return "\n".join(
        [
            f"{facts.cpu}, {facts.cores} cores, load {facts.load_average:.1f}; {facts.versions}",
            f"raw at {settings}",
            f"{_STREAMS} streams, characters/s: {of(lambda each: each.served_many, ',.0f')}",
            f"  raw at batch {_STREAMS}: {of(lambda each: each.raw_many, ',.0f')}",
            f"  ratio: {of(lambda each: each.served_many / each.raw_many, '.2f')}",
            f"1 stream, characters/s: {of(lambda each: each.served_one, ',.0f')}",
            f"  raw at batch 1: {of(lambda each: each.raw_one, ',.0f')}",
            f"  ratio: {of(lambda each: each.served_one / each.raw_one, '.2f')}",
            f"{_STREAMS} streams of {_SHORT} at once over one after another: "
            f"{of(lambda each: each.at_once / each.in_turn, '.2f')}",
            f"  of {_STREAMS} long ones over a long one: {of(lambda each: each.served_many / each.served_one, '.2f')}",
            f"first characters after a prompt of {_PROMPT}, ms: p50 {p50_ms:.1f}, p90 {p90_ms:.1f}",
            f"  raw reading of it, ms: {of(lambda each: each.raw_read_ms, '.1f')}",
        ]
    )


async def _measure(server: str, read: Artifact, bare: Bare, *, rounds: int, seconds: float) -> list[Figures]:
    async with AsyncClient(server) as client:
        served = Served(client, read.manifest.name, read.manifest.text_generation.vocabulary)
        await served.at_once(_STREAMS, _SHORT)
        return [await _round(served, bare, seconds) for _ in range(rounds)]


@click.command()
@click.argument("model")
@click.argument("serve_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- SERVE_OPTIONS...]")
@click.option(
    "--models", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of models to serve."
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often to measure everything.")
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True, help="How long each served figure counts."
)
def bench(*, model: str, serve_options: tuple[str, ...], models: Path, rounds: int, seconds: float) -> None:
    """Measure how fast MODEL writes, served and raw."""
    newest = max((models / model).iterdir(), key=lambda place: int(place.name) if place.name.isdecimal() else 0)
    read = artifact.read(newest)
    with serving(models, "--device", Device.CPU, *serve_options) as server, Crew(1) as crew:
        bare = Bare(crew, read, Device.CPU, seconds * _RAW_SHARE)
        figures = asyncio.run(_measure(server, read, bare, rounds=rounds, seconds=seconds))
        click.echo(_in_words(figures, bare.settings()))


if __name__ == "__main__":
    bench()
