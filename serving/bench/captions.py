"""How fast a model makes captions, served and bare: `python -m serving.bench.captions MODEL --models DIR`.

Bare are the graphs "encode" and "step" on ONNX Runtime in a process of its own, one run after another at as many rows
as there are captions, until all have come to their end, at the best of its settings: no decoding of pictures, no gRPC.
It is measured just before and just after each served figure.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import click
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hondo import artifact, images
from hondo.artifact import Artifact, Tensors
from hondo.client import AsyncClient
from hondo.process import serving
from serving.bench import machine, pictures
from serving.bench.crew import Crew
from serving.cores import available
from serving.decode.graphs import ENCODE, NEXT_TOKEN, STEP, TOKEN, UNIFORM, next_of

_CAPTIONS: Final = 16
_BURSTS: Final = 3
_SINGLES: Final = 16


@dataclass(frozen=True, slots=True)
class Bare:
    """What one process is to time."""

    encode: Path
    step: Path
    image_NHWC: NDArray[np.uint8]
    # Of "step", for each row; those of the first golden row.
    controls: Tensors
    start: int
    end: int
    most: int
    threads: int
    spinning: bool
    times: int


@dataclass(frozen=True, slots=True)
class Took:
    """How long it took, milliseconds: the median."""

    encode_ms: float
    whole_ms: float


def time_bare(work: Bare) -> Took:
    """Makes captions of all pictures at once, several times over."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = work.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(work.spinning)))
    encode, step = (
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for path in (work.encode, work.step)
    )
    _caption(work, encode, step)  # the first run at a size plans its memory
    took = [_caption(work, encode, step) for _ in range(work.times)]
    return Took(*(float(np.median([getattr(each, name) for each in took])) for name in ("encode_ms", "whole_ms")))


def _caption(work: Bare, encode: onnxruntime.InferenceSession, step: onnxruntime.InferenceSession) -> Took:
    started_s = time.perf_counter()
    names = [node.name for node in encode.get_outputs()]
    known = dict(zip(names, encode.run(names, {encode.get_inputs()[0].name: work.image_NHWC}), strict=True))
    encoded_s = time.perf_counter()
    rows = len(work.image_NHWC)
    feeds = {name: np.repeat(value, rows, axis=0) for name, value in work.controls.items()}
    token_N, is_over_N = np.full(rows, work.start, np.int64), np.zeros(rows, np.bool_)
    gives = [node.name for node in step.get_outputs()]
    for _ in range(work.most):
        outputs = dict(zip(gives, step.run(gives, {TOKEN: token_N, **known, **feeds}), strict=True))
        token_N = outputs[NEXT_TOKEN][:, 0]
        known |= {name: outputs[next_of(name)] for name in known if next_of(name) in outputs}
        is_over_N |= token_N == work.end
        if is_over_N.all():
            break
    return Took((encoded_s - started_s) * 1000, (time.perf_counter() - started_s) * 1000)


class Loops:
    """The bare loop at one caption and at many, each at its best setting."""

    def __init__(self, crew: Crew, read: Artifact, image_NHWC: NDArray[np.uint8]) -> None:
        self._crew = crew
        feeds, _ = read.golden(STEP)
        taken = read.golden(ENCODE)[1]
        task = read.manifest.captioning
        shared = {name for name in feeds if name not in taken and name != TOKEN}
        controls: Tensors = {name: feeds[name][:1] for name in shared}
        # The most probable word each time, as a request has it that says nothing.
        controls |= {"temperature": np.zeros(1, np.float32), UNIFORM: np.zeros((1, 1), np.float32)}
        self._work = {
            rows: self._best(
                Bare(
                    encode=read.graph_path(ENCODE),
                    step=read.graph_path(STEP),
                    image_NHWC=image_NHWC[:rows],
                    controls=controls,
                    start=task.start,
                    end=task.end,
                    most=task.max_words,
                    threads=1,
                    spinning=False,
                    times=_BURSTS,
                )
            )
            for rows in (1, _CAPTIONS)
        }

    def took(self, rows: int) -> Took:
        """Gives how long so many captions take."""
        return self._crew.do(time_bare, [self._work[rows]])[0]

    def settings(self) -> str:
        """Says which settings are best."""
        return "; ".join(
            f"{rows} rows: {work.threads} threads{', spinning' if work.spinning else ''}"
            for rows, work in self._work.items()
        )

    def _best(self, work: Bare) -> Bare:
        tried = [
            replace(work, threads=threads, spinning=spinning)
            for threads in sorted({1, available()})
            for spinning in (False, True)
        ]
        return min(tried, key=lambda each: self._crew.do(time_bare, [each])[0].whole_ms)


@dataclass(frozen=True, slots=True)
class Figures:
    """One round's, milliseconds."""

    bare_many: Took
    bare_one: Took
    # So many captions side by side, and one after another.
    at_once_ms: float
    in_turn_ms: float
    # Of single requests on an idle server.
    first_ms: float
    whole_ms: float


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
    many, one = [loops.took(_CAPTIONS)], [loops.took(1)]
    at_once_ms = await served.at_once_ms()
    many.append(loops.took(_CAPTIONS))
    in_turn_ms, first_ms, whole_ms = await served.in_turn()
    one.append(loops.took(1))
    return Figures(_mean(many), _mean(one), at_once_ms, in_turn_ms, first_ms, whole_ms)


def _mean(took: Sequence[Took]) -> Took:
    return Took(float(np.mean([each.encode_ms for each in took])), float(np.mean([each.whole_ms for each in took])))


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
            f"  bare at batch {_CAPTIONS}: {of(lambda each: each.bare_many.whole_ms)}",
            f"  bare over served: {of(lambda each: each.bare_many.whole_ms / each.at_once_ms, '.2f')}",
            f"  bare one after another over at once: "
            f"{of(lambda each: _CAPTIONS * each.bare_one.whole_ms / each.bare_many.whole_ms, '.2f')}",
            f"one caption on an idle server, ms, first word: {of(lambda each: each.first_ms)}",
            f"  bare encoding: {of(lambda each: each.bare_one.encode_ms)}",
            f"  whole: {of(lambda each: each.whole_ms)}",
            f"  bare: {of(lambda each: each.bare_one.whole_ms)}",
            f"  whole over bare: {of(lambda each: each.whole_ms / each.bare_one.whole_ms, '.2f')}",
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
    image_NHWC = np.stack([images.read(file, read.manifest.captioning.image) for file in files])
    with serving(models, "--device", "cpu", *serve_options) as server, Crew(1) as crew:
        loops = Loops(crew, read, image_NHWC)
        figures = asyncio.run(_measure(server, read.manifest.name, files, loops, rounds))
        click.echo(_in_words(figures, loops.settings()))


if __name__ == "__main__":
    bench()
