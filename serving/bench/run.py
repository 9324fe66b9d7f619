"""The run: a bench from its settings to its report."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from hondo import artifact, process
from hondo.artifact import MODEL
from hondo.errors import InvalidRequest
from serving.bench import answers, generator, h2load, machine, pictures, tensors
from serving.bench.calls import Drive
from serving.bench.crew import Crew
from serving.bench.echo import echoing
from serving.bench.load import Load, Pace
from serving.bench.points import Bench, RawReference
from serving.bench.questions import Questions, ask
from serving.bench.raw import Raw
from serving.bench.report import Report
from serving.catalog.loading import bare_graph
from serving.runtime.cores import available
from serving.runtime.device import choose
from serving.telemetry import watchdog
from serving.telemetry.watchdog import Lateness

# How long each setting of raw ONNX Runtime is tried, as a share of how long a load counts, and at most, seconds.
_EXPLORE_SHARE: Final = 0.1
_EXPLORE_MAX_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is to be measured."""

    model: str
    # The folder to start a server on, with further options for it, or else the HOST:PORT of one that runs.
    models: Path | None
    serve_options: Sequence[str]
    server: str
    # The .onnx file to run raw; that of `models` unless given. None and no `models`: there is no raw reference.
    graph: Path | None
    # Picture files to send instead of generated tensors.
    images: Path | None
    rows: int | None
    shapes: Mapping[str, Sequence[int]]
    loads: Sequence[Load]
    pace: Pace
    generator: Literal["python", "h2load"]
    # As `hondo serve` takes it.
    device: str
    raw: bool
    echo: bool
    watchdog: bool


def run(settings: Settings, say: Callable[[str], None]) -> Report:
    """Measures all loads one after the other; `say` is told of progress.

    Raises:
        HondoError: the server, the model or the settings do not allow it.
    """
    if settings.generator == "h2load":
        h2load.program()
    facts = machine.describe()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with _server(settings, log) as server, ExitStack() as stack:
            questions = _questions(settings, server)
            bench = _prepare(settings, server, questions, stack, say)
            points = []
            for point in bench.points(settings.loads):
                say(f"{point.load}: {point.served.requests_per_s:,.1f} requests/s")
                points.append(point)
        return Report(
            machine=facts,
            model=settings.model,
            server=server,
            started=settings.models is not None,
            method=questions.method,
            rows=questions.rows,
            request_bytes=len(questions.bodies[0]),
            generator=settings.generator,
            seconds=settings.pace.seconds,
            deadline_ms=settings.pace.deadline_s and settings.pace.deadline_s * 1000,
            explored=bench.raw.explored if bench.raw else None,
            points=points,
            lateness=_worst(watchdog.read(log.read_text())) if settings.watchdog else None,
        )


@contextmanager
def _server(settings: Settings, log: Path) -> Iterator[str]:
    """Gives the server's HOST:PORT, started if need be."""
    if settings.models is None:
        yield settings.server
        return
    watch = ["--watchdog"] if settings.watchdog else []
    options = ["--device", settings.device, *watch, *settings.serve_options]
    with process.serving(settings.models, *options, log_to=log) as server:
        yield server


def _questions(settings: Settings, server: str) -> Questions:
    if settings.images is not None:
        return pictures.questions(server, settings.model, settings.images, rows=settings.rows or 1)
    return tensors.questions(server, settings.model, rows=settings.rows, shapes=settings.shapes)


def _prepare(
    settings: Settings, server: str, questions: Questions, stack: ExitStack, say: Callable[[str], None]
) -> Bench:
    """Asks each question once, finds out what ONNX Runtime gives at best, and starts what sends and echoes."""
    alone = ask(server, questions.method, questions.bodies)
    return Bench(
        server=server,
        questions=questions,
        answers=alone,
        drive=_drive(settings, questions, len(alone[0]), stack),
        pace=settings.pace,
        raw=_raw(settings, questions, alone[0], stack, say),
        echo=stack.enter_context(echoing(questions.method, alone[0])) if settings.echo else None,
    )


def _drive(settings: Settings, questions: Questions, answer_bytes: int, stack: ExitStack) -> Drive:
    threads = max(1, available() // 2)  # the others are the server's
    if settings.generator == "h2load":
        return h2load.driver(threads, questions, answer_bytes)
    most = max(settings.pace.connections_of(load) for load in settings.loads)
    return generator.driver(stack.enter_context(Crew(min(threads, most))), questions)


def _raw(
    settings: Settings, questions: Questions, answer: bytes, stack: ExitStack, say: Callable[[str], None]
) -> RawReference | None:
    graph = _graph(settings)
    if not settings.raw or graph is None:
        return None
    crew = stack.enter_context(Crew(available()))
    raw = Raw(crew, graph, choose(settings.device).each[0], questions.feeds, questions.rows)
    answers.check_against_graph(questions.method, answer, raw.computed())
    say("trying the batch sizes, instances, threads and spinning of raw ONNX Runtime ...")
    seconds = min(_EXPLORE_MAX_S, settings.pace.seconds * _EXPLORE_SHARE)
    explored = raw.explore(seconds, batches=questions.batches)
    return RawReference(crew=crew, raw=raw, explored=explored, questions=questions)


def _graph(settings: Settings) -> Path | None:
    """Gives the file that the server serves: that of the newest version, as the requests ask for it."""
    if settings.graph is not None or settings.models is None:
        return settings.graph
    versions = [path for path in (settings.models / settings.model).iterdir() if path.name.isdecimal()]
    place = max(versions, key=lambda path: int(path.name))
    if not (place / artifact.MANIFEST).exists():
        return bare_graph(place)
    read = artifact.read(place)
    if MODEL not in {graph.role for graph in read.manifest.graphs}:
        raise InvalidRequest(f"model {settings.model!r} has several graphs: no one request is a run of it")
    return read.graph_path(MODEL)


def _worst(processes: Sequence[Lateness]) -> Lateness | None:
    """Gives the latest of the event loops of a server's processes."""
    return max(processes, key=lambda lateness: lateness.worst_ms, default=None)
