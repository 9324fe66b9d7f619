"""`hondo serve`: the server as a process, or as several that share its port."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from hondo.errors import InvalidSettings
from serving import handles, preview
from serving.access.door import Door
from serving.age import process_age_s
from serving.catalog.catalog import Catalog
from serving.catalog.stock import Stock
from serving.exposition import exposed
from serving.options import is_stated, of_settings, stated
from serving.port import reserved
from serving.runtime import memory
from serving.runtime.cores import available
from serving.runtime.device import Device, choose
from serving.server import Server
from serving.settings import FILE, Settings
from serving.supervisor import Restarts, Supervisor
from serving.telemetry import logs, witness
from serving.telemetry.course import Course
from serving.telemetry.levels import Levels, Shown
from serving.telemetry.logs import LogFormat
from serving.telemetry.metrics import FOLDER, forget, of_workers
from serving.worker import say_ready, watch_supervisor

_log = logging.getLogger(__name__)

# What a worker may take to end beyond the wait for its calls, seconds.
_END_S: Final = 5.0
# Where workers count if they may: a container whose disk is read-only has this folder all the same.
_MEMORY: Final = "/dev/shm"  # noqa: S108  TemporaryDirectory makes a folder in it that is its own


@click.command()
@click.argument("models", type=click.Path(path_type=Path))
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"TOML file of settings.  [default: MODELS/{FILE} where there is one]",
)
@click.option("--dry-run", is_flag=True, help="Load all, print what would be served, and exit; 1 if any is refused.")
@of_settings
@click.pass_context
def serve(context: click.Context, /, *, models: Path, config: Path | None, dry_run: bool, **_settings: object) -> None:
    """Serve NAME/VERSION/*.onnx below the folder MODELS over gRPC.

    Speaks hondo.v1 (typed), the Open Inference Protocol v2 (tritonclient, KServe clients), gRPC health checking and
    reflection, all on one port. SIGTERM or Ctrl-C stops it once the calls in flight are answered.

    Each setting below may stand in a TOML file, its name with underscores (max_batch_size = 16), and those that make
    sense for one model alone, in a table of its own ([models.lenet5]): versions, load, threads, instances, max_run_mb,
    max_batch_size, max_wait_ms, max_queue_rows, queue_timeout_ms, run_timeout_seconds, max_sequences,
    sequence_idle_seconds, trust_models, cpu_fallback, provider_options and all that begin with cuda_. What the command
    line says goes before all of it.
    """
    file = config or next((file for file in [models / FILE] if file.is_file()), None)
    settings = Settings.read(file, stated(context), is_beside_models=config is None)
    logs.set_up(LogFormat(settings.log_format), settings.worker)
    Levels.named(settings.log_level).show()
    handles.raise_limit()
    door = Door.of(settings.access, settings.host)
    if settings.workers > 1 and not dry_run:
        asyncio.run(_supervise(context, settings, door))
        return
    device = choose(settings.device, settings.provider, settings.model.acceleration.options)
    stock = Stock.of(models, settings)
    catalog = Catalog.of(stock, device, settings)
    if dry_run:
        click.echo("\n".join(preview.lines(catalog, device, settings)))
        context.exit(1 if preview.is_any_refused(catalog) else 0)
    if not settings.watch:
        stock.check()
    with _told(settings) as tell:
        asyncio.run(_serve(catalog, stock, device, settings, door=door, tell=tell))


@contextmanager
def _told(settings: Settings) -> Iterator[list[Callable[[Course], None]]]:
    """Gives whom to tell of each request, beside the metrics."""
    tell: list[Callable[[Course], None]] = [witness.log if settings.log_requests else witness.log_to_debug]
    if settings.traces is None:
        yield tell
        return
    try:
        from serving.telemetry.traces import Traces
    except ModuleNotFoundError as error:
        raise InvalidSettings(f"--traces needs OpenTelemetry ({error}): pip install 'hondo[otel]'") from error
    with closing(Traces(settings.traces)) as told:
        yield [*tell, told.tell]


async def _serve(
    catalog: Catalog,
    stock: Stock,
    device: Device,
    settings: Settings,
    *,
    door: Door,
    tell: Sequence[Callable[[Course], None]],
) -> None:
    stop = _stop_asked()
    server = Server(catalog, stock, device, settings, door=door, tell=tell)
    port = await server.start()
    memory.settle()
    for model in catalog:
        _log.info("serving %s version %d%s", model.name, model.version, f": {model.task}" if model.task else "")
    if settings.worker is not None:
        watch_supervisor(stop)
        say_ready()
        _log.info("up, device %s, after %.1f s", device, process_age_s())
    else:
        _log.info("ready on %s:%d, device %s, after %.1f s", settings.host, port, device, process_age_s())
    await stop.wait()
    _log.info("stopping: no new calls, waiting for those in flight")
    await server.stop()
    _log.info("stopped")


async def _supervise(context: click.Context, settings: Settings, door: Door) -> None:
    host, workers = settings.host, settings.workers
    with reserved(host, settings.port) as port, _shared_metrics() as folder:
        shown = Shown(Levels.named(settings.log_level), folder)
        supervisor = Supervisor(
            [_worker_command(context, settings, port, number) for number in range(1, workers + 1)],
            Restarts(),
            patience_s=settings.drain_seconds + _END_S,
            on_ready=lambda: _log.info(
                "ready on %s:%d, %d workers, after %.1f s", host, port, workers, process_age_s()
            ),
            on_end=lambda pid: forget(pid, folder),
        )
        with exposed(of_workers(folder), host, settings.metrics_port, lambda: supervisor.is_serving, door):
            following = asyncio.create_task(shown.follow())
            await supervisor.run(_stop_asked())
            following.cancel()
    _log.info("stopped")


@contextmanager
def _shared_metrics() -> Iterator[Path]:
    """Makes the folder that workers count in, and tells them of it."""
    with TemporaryDirectory(prefix="hondo-metrics-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as folder:
        os.environ[FOLDER] = folder
        yield Path(folder)


def _stop_asked() -> asyncio.Event:
    """Gives what SIGTERM or Ctrl-C sets."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _worker_command(context: click.Context, settings: Settings, port: int, number: int) -> list[str]:
    """Gives the command line of a worker: this one's own, but for what workers share or tells them apart."""
    workers = settings.workers
    cores = settings.cores or available() // workers + (number <= available() % workers)
    own = {"port": port, "workers": 1, "cores": max(1, cores), "worker": number}
    options = [option for option in context.command.params if isinstance(option, click.Option)]
    given = {option: context.params[name] for option in options if is_stated(context, name := option.name or "")}
    values = given | {option: own[option.name] for option in options if option.name in own}
    parts = [_part(option, value) for option, value in values.items()]
    return [sys.executable, "-m", "hondo.cli", "serve", *parts, "--", str(context.params["models"])]


def _part(option: click.Option, value: object) -> str:
    """Gives the part of a command line that states an option."""
    if isinstance(value, bool):
        return option.opts[0] if value else option.secondary_opts[0]
    return f"{option.opts[0]}={value}"
