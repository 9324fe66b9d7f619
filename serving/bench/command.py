"""`hondo bench`: a server under load, beside what its machine could do at best."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, TypeVar

import click

from hondo.access import DEFAULT_SERVER
from serving.bench import plot
from serving.bench.load import Closed, Load, Open, Pace
from serving.bench.report import to_json, to_text
from serving.bench.run import Settings, run
from serving.runtime.device import AUTO

_CONCURRENCY: Final = (1, 4, 32)
_WARM_UP_SHARE: Final = 0.2

Number = TypeVar("Number", int, float)


def _numbers(
    kind: type[Number],
) -> Callable[[click.Context, click.Parameter, str | None], tuple[Number, ...]]:
    def read(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[Number, ...]:
        try:
            numbers = tuple(kind(part) for part in (text or "").split(",") if part)
        except ValueError:
            raise click.BadParameter(f"{text!r} is not a list of numbers such as 1,4,32") from None
        if any(not 0 < number <= 100_000 for number in numbers):
            raise click.BadParameter("each is above 0 and at most 100,000")
        return numbers

    return read


def _address(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not text.rpartition(":")[2].isdecimal():
        raise click.BadParameter(f"{text!r} is not of the form HOST:PORT")
    return text


def _shapes(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for text in texts:
        name, _, sides = text.rpartition("=")
        if not name or not all(side.isdecimal() for side in sides.split(",")):
            raise click.BadParameter(f"{text!r} is not of the form NAME=1,3,224,224")
        shapes[name] = tuple(int(side) for side in sides.split(","))
    return shapes


@click.command()
@click.argument("model")
@click.argument("serve_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- SERVE_OPTIONS...]")
@click.option("--models", type=click.Path(path_type=Path), help="Start `hondo serve` on this folder of models.")
@click.option(
    "--server",
    callback=_address,
    metavar="HOST:PORT",
    help=f"A server of the Open Inference Protocol.  [default: {DEFAULT_SERVER}]",
)
@click.option(
    "--graph", type=click.Path(path_type=Path, exists=True), help="With --server: the .onnx file it serves, to run raw."
)
@click.option(
    "--input",
    "kind",
    type=click.Choice(["tensor", "images"]),
    default="tensor",
    show_default=True,
    help="Generated tensors by ModelInfer, or picture files by Classify or DetectEdges, as the model takes.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True),
    help="Picture file, or folder of them, for --input images.",
)
@click.option("--rows", type=click.IntRange(1, 4096), help="Rows (or pictures) a request.  [default: 1]")
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    callback=_shapes,
    metavar="NAME=1,3,224,224",
    help="Whole shape of an input whose dimensions are free.",
)
@click.option(
    "--concurrency",
    callback=_numbers(int),
    metavar="1,4,32",
    help="Closed loops: calls under way at once.  [default: 1,4,32, unless --rate is given]",
)
@click.option(
    "--rate",
    callback=_numbers(float),
    metavar="100,200",
    help="Open loops: calls that arrive a second, as a Poisson process.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 600),
    default=5.0,
    show_default=True,
    help="How long each load counts; a fifth of it, before, does not.",
)
@click.option("--connections", type=click.IntRange(1, 256), help="Connections that share a load.  [default: 4]")
@click.option(
    "--deadline-ms", type=click.FloatRange(1, 600_000), help="Deadline of each call; what comes later is no goodput."
)
@click.option(
    "--generator",
    type=click.Choice(["python", "h2load"]),
    default="python",
    show_default=True,
    help="h2load takes less of the server's cores, but sees no gRPC status.",
)
@click.option(
    "--device",
    default=AUTO,
    show_default=True,
    help="Where the started server and raw ONNX Runtime run.",
)
@click.option("--raw/--no-raw", default=True, show_default=True, help="Measure raw ONNX Runtime in the same run.")
@click.option("--echo", is_flag=True, help="Measure an empty grpc.aio server in the same run.")
@click.option(
    "--watchdog",
    is_flag=True,
    help="With --models: tell how late the server's event loop came to its calls; without raw, which would delay it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
@click.option(
    "--plot",
    "plot_to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Draw latency against load.",
)
def bench(
    *,
    model: str,
    serve_options: tuple[str, ...],
    models: Path | None,
    server: str | None,
    graph: Path | None,
    kind: str,
    images: Path | None,
    rows: int | None,
    shapes: dict[str, tuple[int, ...]],
    concurrency: tuple[int, ...],
    rate: tuple[float, ...],
    seconds: float,
    connections: int | None,
    deadline_ms: float | None,
    generator: Literal["python", "h2load"],
    device: str,
    raw: bool,
    echo: bool,
    watchdog: bool,
    as_json: bool,
    plot_to: Path | None,
) -> None:
    """Measure how fast MODEL is served, in closed loops (users who wait) or open ones (users who do not).

    Every figure has beside it what this machine gives without a server, measured in the same run: raw ONNX Runtime at
    its best batch size, instances, threads and spinning, and with --echo an empty gRPC server. Ratios outlive the
    machine that they were measured on; rates do not.
    """
    _check(
        models=models,
        server=server,
        graph=graph,
        kind=kind,
        images=images,
        serve_options=serve_options,
        watchdog=watchdog,
        plot_to=plot_to,
    )
    loads: list[Load] = [Closed(calls) for calls in concurrency or (() if rate else _CONCURRENCY)]
    loads += [Open(calls_per_s) for calls_per_s in rate]
    settings = Settings(
        model=model,
        models=models,
        serve_options=serve_options,
        server=server or DEFAULT_SERVER,
        graph=graph,
        images=images,
        rows=rows,
        shapes=shapes,
        loads=loads,
        pace=Pace(
            seconds=seconds,
            warm_up_s=seconds * _WARM_UP_SHARE,
            connections=connections,
            deadline_s=deadline_ms and deadline_ms / 1000,
        ),
        generator=generator,
        device=device,
        raw=raw and not watchdog,
        echo=echo,
        watchdog=watchdog,
    )
    report = run(settings, lambda text: click.echo(text, err=True))
    click.echo(to_json(report) if as_json else to_text(report))
    if plot_to:
        plot.save(report, plot_to)


def _check(
    *,
    models: Path | None,
    server: str | None,
    graph: Path | None,
    kind: str,
    images: Path | None,
    serve_options: tuple[str, ...],
    watchdog: bool,
    plot_to: Path | None,
) -> None:
    """Refuses options that contradict each other, before anything runs.

    Raises:
        UsageError: they do.
    """
    wrong = {
        "--models starts a server, --server asks one that runs: give one of them": models and server,
        "--graph goes with --server: with --models the file is known": models and graph,
        "options after -- are for the server that --models starts": serve_options and not models,
        "--watchdog needs a server that --models starts": watchdog and not models,
        "--input images needs --images FILE or FOLDER": kind == "images" and not images,
        "--images goes with --input images": kind != "images" and images,
        "--plot needs matplotlib: pip install 'hondo[bench]'": plot_to and find_spec("matplotlib") is None,
    }
    for text, is_so in wrong.items():
        if is_so:
            raise click.UsageError(text)
