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

from hondo.images import Limits
from serving import logs, memory, witness
from serving.access.door import Door
from serving.access.settings import AccessSettings, access_options
from serving.age import process_age_s
from serving.batcher import Queueing
from serving.catalog import Catalog
from serving.cores import available
from serving.course import Course
from serving.device import Device, choose
from serving.exposition import exposed
from serving.logs import LogFormat
from serving.metrics import FOLDER, forget, of_workers
from serving.plan import Wishes
from serving.port import reserved
from serving.sequences import Keeping
from serving.server import Server, Settings
from serving.supervisor import Restarts, Supervisor
from serving.triton_words import StatusCodes
from serving.worker import say_ready, watch_supervisor

_log = logging.getLogger(__name__)

# What a worker may take to end beyond the wait for its calls, seconds.
_END_S: Final = 5.0
_LIMITS: Final = Limits()
# Where workers count if they may: a container whose disk is read-only has this folder all the same.
_MEMORY: Final = "/dev/shm"  # noqa: S108  TemporaryDirectory makes a folder in it that is its own


@click.command()
@click.argument("models", type=click.Path(path_type=Path))
@click.option("--host", default=Settings.host, show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=Settings.port, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=Settings.metrics_port,
    show_default=True,
    help="Port of the metrics, /metrics over HTTP for Prometheus; 0 takes a free one, which the log names.",
)
@click.option("--no-metrics", is_flag=True, help="Count nothing.")
@click.option(
    "--log-format",
    type=click.Choice([kind.value for kind in LogFormat]),
    default=LogFormat.HUMAN.value,
    show_default=True,
    help="Log lines for people, or a JSON object a line.",
)
@click.option("--log-requests", is_flag=True, help="Log a line for each request: model, status, time, id.")
@click.option(
    "--traces",
    metavar="URL",
    help="Send OpenTelemetry traces over gRPC (OTLP) to this collector, http://HOST:4317; needs hondo[otel]. "
    "What is sampled, OTEL_TRACES_SAMPLER says.",
)
@click.option(
    "--status-codes",
    type=click.Choice([each.value for each in StatusCodes]),
    default=Settings.status_codes.value,
    show_default=True,
    help="Whose codes and texts errors of the Open Inference Protocol have; Hondo's say more.",
)
@click.option(
    "--shared-memory",
    is_flag=True,
    help="Let clients on this machine have tensors read from and written to POSIX shared memory: to any of it that "
    "this process may use, so only where all who reach the port are trusted.",
)
@click.option(
    "--device",
    type=click.Choice([device.value for device in Device]),
    default=Device.AUTO.value,
    show_default=True,
    help="Where models run; auto is CUDA where it comes up, else the CPU.",
)
@click.option(
    "--drain-seconds",
    type=click.FloatRange(min=0),
    default=Settings.drain_s,
    show_default=True,
    help="How long a stop waits for the calls in flight.",
)
@click.option(
    "--max-message-mb",
    type=click.IntRange(1, 2047),
    default=Settings.max_message_bytes // 2**20,
    show_default=True,
    help="Largest message taken or sent, MiB.",
)
@click.option(
    "--max-batch-size",
    type=click.IntRange(1),
    default=Wishes.max_batch_size,
    show_default=True,
    help="Most rows that share a run, texts that are written among them; which sizes pay is measured at load.",
)
@click.option(
    "--max-wait-ms",
    type=click.FloatRange(0),
    show_default="0; 1 on the event loop",
    help="How long a request waits for company while its model is in use; where short graphs run on the event loop, "
    "for as many as came together before.",
)
@click.option(
    "--max-queue-rows",
    type=click.IntRange(1),
    default=Queueing.max_rows,
    show_default=True,
    help="Rows that may wait for each graph; more are refused with RESOURCE_EXHAUSTED.",
)
@click.option(
    "--queue-timeout-ms",
    type=click.FloatRange(0, min_open=True),
    show_default="none",
    help="How long a request may wait to run; then DEADLINE_EXCEEDED.",
)
@click.option(
    "--max-sequences",
    type=click.IntRange(1),
    default=Keeping.most,
    show_default=True,
    help="Sequences of each model whose state is kept between requests; more are refused with RESOURCE_EXHAUSTED.",
)
@click.option(
    "--sequence-idle-seconds",
    type=click.FloatRange(0, min_open=True),
    default=Keeping.idle_s,
    show_default=True,
    help="A sequence that is asked nothing for so long is forgotten.",
)
@click.option(
    "--max-image-mb",
    type=click.IntRange(1),
    default=_LIMITS.max_bytes // 2**20,
    show_default=True,
    help="Largest picture file taken, MiB.",
)
@click.option(
    "--max-image-pixels",
    type=click.IntRange(1),
    default=_LIMITS.max_pixels,
    show_default=True,
    help="Most in a picture.",
)
@click.option(
    "--max-image-side",
    type=click.IntRange(1),
    default=_LIMITS.max_side_px,
    show_default=True,
    help="Most pixels in a picture's width or height.",
)
@click.option(
    "--max-run-mb",
    type=click.IntRange(16),
    default=Settings.run_bytes // 2**20,
    show_default=True,
    help="Memory that one run of an edge detector may take, MiB; a picture that needs more is answered in parts.",
)
@click.option(
    "--threads", type=click.IntRange(1), show_default="measured", help="Threads that compute one run on the CPU."
)
@click.option(
    "--instances",
    type=click.IntRange(0),
    show_default="measured",
    help="Runs side by side for each graph; 0 runs on the event loop.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that share the port; each connection is with one of them.",
)
@click.option(
    "--cores",
    type=click.IntRange(min=1),
    help="Cores that each process works on.  [default: all it may use, shared among the workers]",
)
@click.option("--watchdog", is_flag=True, help="Measure how late the event loop comes to its calls; log it at the end.")
@access_options
@click.option("--worker", type=int, hidden=True, help="Which of several workers this process is.")
def serve(
    access: AccessSettings,
    *,
    models: Path,
    host: str,
    port: int,
    metrics_port: int,
    no_metrics: bool,
    log_format: str,
    log_requests: bool,
    traces: str | None,
    status_codes: str,
    shared_memory: bool,
    device: str,
    drain_seconds: float,
    max_message_mb: int,
    max_batch_size: int,
    max_wait_ms: float | None,
    max_queue_rows: int,
    queue_timeout_ms: float | None,
    max_sequences: int,
    sequence_idle_seconds: float,
    max_image_mb: int,
    max_image_pixels: int,
    max_image_side: int,
    max_run_mb: int,
    threads: int | None,
    instances: int | None,
    workers: int,
    cores: int | None,
    watchdog: bool,
    worker: int | None,
) -> None:
    """Serve every NAME/VERSION/*.onnx below the folder MODELS over gRPC.

    Speaks hondo.v1 (typed), the Open Inference Protocol v2 (tritonclient, KServe clients), gRPC health checking and
    reflection, all on one port. SIGTERM or Ctrl-C stops it once the calls in flight are answered.
    """
    logs.set_up(LogFormat(log_format), worker)
    if shared_memory and (workers > 1 or worker):
        raise click.UsageError("--shared-memory needs one process: a region is registered with one of the workers only")
    door = Door.of(access, host)
    if workers > 1:
        asyncio.run(_supervise(click.get_current_context(), door))
        return
    queueing = Queueing(max_rows=max_queue_rows, max_wait_ms=max_wait_ms, timeout_ms=queue_timeout_ms)
    settings = Settings(
        host=host,
        port=port,
        drain_s=drain_seconds,
        max_message_bytes=max_message_mb * 2**20,
        cores=cores,
        images=Limits(max_bytes=max_image_mb * 2**20, max_pixels=max_image_pixels, max_side_px=max_image_side),
        run_bytes=max_run_mb * 2**20,
        queueing=queueing,
        keeping=Keeping(most=max_sequences, idle_s=sequence_idle_seconds),
        port_shared=worker is not None,
        metrics_port=None if worker else metrics_port,
        metrics=not no_metrics,
        shared_memory=shared_memory,
        status_codes=StatusCodes(status_codes),
        watchdog=watchdog,
    )
    chosen = choose(Device(device))
    wishes = Wishes(cores=cores, max_batch_size=max_batch_size, threads=threads, instances=instances)
    with _told(traces, log_requests=log_requests) as tell:
        catalog = Catalog.load(models, chosen, wishes)
        asyncio.run(_serve(catalog, settings, chosen, door, tell))


@contextmanager
def _told(traces: str | None, *, log_requests: bool) -> Iterator[list[Callable[[Course], None]]]:
    """Gives whom to tell of each request, beside the metrics."""
    tell: list[Callable[[Course], None]] = [witness.log] if log_requests else []
    if traces is None:
        yield tell
        return
    try:
        from serving.traces import Traces
    except ModuleNotFoundError as error:
        raise click.UsageError(f"--traces needs OpenTelemetry ({error}): pip install 'hondo[otel]'") from error
    with closing(Traces(traces)) as told:
        yield [*tell, told.tell]


async def _serve(
    catalog: Catalog, settings: Settings, device: Device, door: Door, tell: Sequence[Callable[[Course], None]]
) -> None:
    stop = _stop_asked()
    server = Server(catalog, settings, door, tell)
    port = await server.start()
    memory.settle()
    for model in catalog:
        _log.info("serving %s version %d%s", model.name, model.version, f": {model.task}" if model.task else "")
    if settings.port_shared:
        watch_supervisor(stop)
        say_ready()
        _log.info("up, device %s, after %.1f s", device, process_age_s())
    else:
        _log.info("ready on %s:%d, device %s, after %.1f s", settings.host, port, device, process_age_s())
    await stop.wait()
    _log.info("stopping: no new calls, waiting for those in flight")
    await server.stop()
    _log.info("stopped")


async def _supervise(context: click.Context, door: Door) -> None:
    asked = context.params
    host, workers = asked["host"], asked["workers"]
    with reserved(host, asked["port"]) as port, _shared_metrics() as folder:
        supervisor = Supervisor(
            [_worker_command(context, port, number) for number in range(1, workers + 1)],
            Restarts(),
            patience_s=asked["drain_seconds"] + _END_S,
            on_ready=lambda: _log.info(
                "ready on %s:%d, %d workers, after %.1f s", host, port, workers, process_age_s()
            ),
            on_end=lambda pid: forget(pid, folder),
        )
        with exposed(of_workers(folder), host, asked["metrics_port"], lambda: supervisor.is_serving, door):
            await supervisor.run(_stop_asked())
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


def _worker_command(context: click.Context, port: int, number: int) -> list[str]:
    """Gives the command line of a worker: this one's own, but for what workers share or tells them apart."""
    workers = context.params["workers"]
    cores = context.params["cores"] or available() // workers + (number <= available() % workers)
    values = {**context.params, "port": port, "workers": 1, "cores": max(1, cores), "worker": number}
    options = [option for option in context.command.params if isinstance(option, click.Option)]
    named = [(option.opts[0], values[option.name or ""]) for option in options]
    # A flag has no value: it is there or not.
    stated = [(name, value) for name, value in named if value is not None and value is not False]
    given = [name if value is True else f"{name}={value}" for name, value in stated]
    return [sys.executable, "-m", "hondo.cli", "serve", *given, "--", str(values["models"])]
