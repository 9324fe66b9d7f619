"""How fast a model writes, served and bare: `python -m serving.bench.writing MODEL --models DIR`.

Raw is the graph "step" on ONNX Runtime in a process of its own, at as many rows as there are streams and the best of
its settings, with nothing before or behind it. It is measured just before and just after each served figure.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np

from hondo import artifact
from hondo.artifact import PREFILL, STEP, Artifact, Tensors
from hondo.client import AsyncClient
from hondo.process import serving
from serving.bench import cpu, machine
from serving.bench.crew import Crew
from serving.bench.raw import Raw, Setting
from serving.decode.graphs import LENGTH, TOKENS, UNIFORM
from serving.runtime.cores import available
from serving.runtime.device import Device

_STREAMS: Final = 32
# Of which each asks for so many characters, where streams are held against one after another.
_SHORT: Final = 200
_PROMPT: Final = 100
_FIRSTS: Final = 40
# How long each raw figure is measured, as a share of a served one.
_RAW_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast characters were written."""

    per_s: float
    # Processor time of a character, µs: the server's, or raw's. Other work takes less from this than from the rate.
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One round's: characters a second, unless another unit is named."""

    raw_many: Pace
    raw_one: Pace
    served_many: Pace
    served_one: Pace
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

    def pace(self, rows: int) -> Pace:
        """Gives how fast a batch of so many rows is written, at its best setting."""
        rate = self._raws[rows].measure(self._best[rows], self._seconds)
        return Pace(rate.per_s * self._steps, (rate.cpu_ms or math.nan) * 1000 / self._steps)

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

    def __init__(self, client: AsyncClient, processes: frozenset[int], model: str, vocabulary: Sequence[str]) -> None:
        self._client = client
        self._processes = processes
        self._model = model
        letters = [each for each in vocabulary if each.isalpha()] or list(vocabulary)
        self._prompt = "".join(np.random.default_rng(0).choice(letters, _PROMPT))

    async def at_once(self, streams: int, characters: int) -> Pace:
        """Gives how fast so many streams are written side by side."""
        before_s, started_s = cpu.used_s(self._processes) or math.nan, time.perf_counter()
        await asyncio.gather(*[self._write(characters, seed) for seed in range(streams)])
        took_s, used_s = time.perf_counter() - started_s, (cpu.used_s(self._processes) or math.nan) - before_s
        return Pace(streams * characters / took_s, used_s * 1e6 / (streams * characters))

    async def in_turn(self, streams: int, characters: int) -> float:
        """Gives the characters a second of so many streams one after another."""
        started_s = time.perf_counter()
        for seed in range(streams):
            await self._write(characters, seed)
        return streams * characters / (time.perf_counter() - started_s)

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


async def _round(served: Served, bare: Bare, seconds: float) -> Figures:
    """Measures everything once, as long as `seconds` and then some."""
    many, one = [bare.pace(_STREAMS)], [bare.pace(1)]
    served_many = await served.at_once(_STREAMS, max(1, round(many[0].per_s * seconds / _STREAMS)))
    many.append(bare.pace(_STREAMS))
    served_one = await served.at_once(1, max(1, round(one[0].per_s * seconds)))
    one.append(bare.pace(1))
    return Figures(
        raw_many=_mean(many),
        raw_one=_mean(one),
        served_many=served_many,
        served_one=served_one,
        at_once=(await served.at_once(_STREAMS, _SHORT)).per_s,
        in_turn=await served.in_turn(_STREAMS, _SHORT),
        first_ms=await served.first_ms(),
        raw_read_ms=bare.read_ms(),
    )


def _mean(paces: Sequence[Pace]) -> Pace:
    return Pace(float(np.mean([pace.per_s for pace in paces])), float(np.mean([pace.cpu_us for pace in paces])))


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
            *_beside(
                f"{_STREAMS} streams", f"batch {_STREAMS}", [(each.served_many, each.raw_many) for each in rounds]
            ),
            *_beside("1 stream", "batch 1", [(each.served_one, each.raw_one) for each in rounds]),
            f"{_STREAMS} streams of {_SHORT} at once over one after another: "
            f"{of(lambda each: each.at_once / each.in_turn, '.2f')}",
            f"  of {_STREAMS} long ones over a long one: "
            f"{of(lambda each: each.served_many.per_s / each.served_one.per_s, '.2f')}",
            f"first characters after a prompt of {_PROMPT}, ms: p50 {p50_ms:.1f}, p90 {p90_ms:.1f}",
            f"  raw reading of it, ms: {of(lambda each: each.raw_read_ms, '.1f')}",
        ]
    )


def _beside(served: str, raw: str, paces: Sequence[tuple[Pace, Pace]]) -> list[str]:
    """Gives lines of what is served beside what is raw."""
    return [
        f"{served}, characters/s: {'; '.join(f'{ours.per_s:,.0f}' for ours, _ in paces)}",
        f"  raw at {raw}: {'; '.join(f'{bare.per_s:,.0f}' for _, bare in paces)}",
        f"  ratio: {'; '.join(f'{ours.per_s / bare.per_s:.2f}' for ours, bare in paces)}",
        f"  processor time of a character, µs: {'; '.join(f'{ours.cpu_us:.0f}' for ours, _ in paces)}",
        f"  raw: {'; '.join(f'{bare.cpu_us:.0f}' for _, bare in paces)}",
        f"  raw's share: {'; '.join(f'{bare.cpu_us / ours.cpu_us:.2f}' for ours, bare in paces)}",
    ]


async def _measure(server: str, read: Artifact, bare: Bare, *, rounds: int, seconds: float) -> list[Figures]:
    async with AsyncClient(server) as client:
        processes = cpu.listeners(int(server.rpartition(":")[2]))
        served = Served(client, processes, read.manifest.name, read.manifest.text_generation.vocabulary)
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
    with serving(models, "--device", "cpu", *serve_options) as server, Crew(1) as crew:
        bare = Bare(crew, read, Device.CPU, seconds * _RAW_SHARE)
        figures = asyncio.run(_measure(server, read, bare, rounds=rounds, seconds=seconds))
        click.echo(_in_words(figures, bare.settings()))


if __name__ == "__main__":
    bench()
