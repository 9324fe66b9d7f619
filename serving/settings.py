"""The settings of a server: what the command line says, then what the file says, then the defaults."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from hondo.errors import InvalidSettings
from hondo.images import Limits
from serving.access.settings import AccessSettings
from serving.batching.batcher import Queueing
from serving.catalog.versions import Versions
from serving.refusal import StatusCodes
from serving.runtime.device import ASKED, ASKED_TEXT, AUTO
from serving.runtime.plan import Wishes
from serving.runtime.providers import OPTIONS, OPTIONS_TEXT, Acceleration, parsed
from serving.setting import About, about, file, number, switch, text, versions, whole
from serving.telemetry.levels import NAMES
from serving.telemetry.logs import LogFormat

# The file's name where it lies beside the models.
FILE: Final = "hondo.toml"
# What it cannot say there: whoever brings models does not settle who gets in and what is trusted.
_NOT_BESIDE_MODELS: Final = ("insecure", "shared_memory", "trust_models")

_LIMITS: Final = Limits()
_MODELS: Final = "models"


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What may differ from model to model."""

    versions: Versions = versions('Which versions are served: "newest", "newest:2", "all", or such as "1,3".')
    load: bool = switch("Load models at the start; else each waits for RepositoryModelLoad.", default=True)
    max_batch_size: int = whole(
        Wishes.max_batch_size,
        "Most rows that share a run, texts that are written among them; which sizes pay is measured at load.",
        least=1,
    )
    max_wait_ms: float | None = number(
        None,
        "How long a request waits for company while its model is in use; where short graphs run on the event loop, "
        "for as many as came together before.",
        least=0,
        shown="0; 1 on the event loop",
    )
    max_queue_rows: int = whole(
        Queueing.max_rows, "Rows that may wait for each graph; more are refused with RESOURCE_EXHAUSTED.", least=1
    )
    queue_timeout_ms: float | None = number(
        None,
        "How long a request may wait to run; then DEADLINE_EXCEEDED.",
        least=0,
        is_above_least=True,
        shown="none",
    )
    run_timeout_seconds: float = number(
        Queueing.run_s,
        "How long one run of a graph may take; then it is ended, and its requests with DEADLINE_EXCEEDED. A run whose "
        "callers have all left is ended at once.",
        least=0,
        is_above_least=True,
    )
    max_sequences: int = whole(
        1024,
        "Sequences whose state is kept between requests; more are refused with RESOURCE_EXHAUSTED.",
        least=1,
    )
    sequence_idle_seconds: float = number(
        60.0, "A sequence that is asked nothing for so long is forgotten.", least=0, is_above_least=True
    )
    max_run_mb: int = whole(
        1024,
        "Memory that one run of an edge detector may take, MiB; a picture that needs more is answered in parts.",
        least=16,
    )
    threads: int | None = whole(None, "Threads that compute one run on the CPU.", least=1, shown="measured")
    instances: int | None = whole(
        None, "Runs side by side for each graph, on each device; 0 runs on the event loop.", least=0, shown="measured"
    )
    cuda_conv_search: str = text(
        Acceleration.conv_search,
        "How cuDNN finds a convolution's algorithm: by rule; by trying all at each new shape, which takes long; or "
        "always its usual one.",
        choices=("HEURISTIC", "EXHAUSTIVE", "DEFAULT"),
    )
    cuda_arena: str = text(
        Acceleration.arena,
        "How a graph's memory on a GPU grows: by what is needed, or in powers of two.",
        choices=("kSameAsRequested", "kNextPowerOfTwo"),
    )
    cuda_memory_mb: int | None = whole(
        None,
        "Memory that each graph may take on its GPU, MiB, beside what CUDA's own libraries take.",
        least=1,
        shown="any",
    )
    cuda_tf32: bool = switch(
        "Let a GPU multiply 32-bit floats with 10 bits of their 23, which is faster.", default=Acceleration.tf32
    )
    cuda_nhwc: bool = switch("Run convolutions on a GPU with the channels last: faster for 16-bit floats.")
    cuda_graphs: bool = switch(
        "Record a run on a GPU once for each size of batch and repeat it as a whole (CUDA graphs), which saves short "
        "runs most of their time; where a graph cannot be recorded, the log says why, and it runs without."
    )
    cpu_fallback: bool = switch(
        "Let parts of a graph compute on the CPU that the device cannot; else a model with such is refused. Those that "
        "only work out shapes always may."
    )
    provider_options: str | None = text(
        None,
        "What else the execution provider is told, KEY=VALUE,KEY=VALUE in its own words, such as "
        "trt_fp16_enable=1 or device_type=GPU.",
        form=OPTIONS,
        expected=OPTIONS_TEXT,
        shown="none",
    )
    trust_models: bool = switch(
        "Load also what reaches beyond the folder of models, by links or for data, or has operators that are not "
        "onnxruntime's own."
    )

    def __post_init__(self) -> None:
        _check(self)

    @property
    def queueing(self) -> Queueing:
        """How requests wait."""
        return Queueing(
            max_rows=self.max_queue_rows,
            max_wait_ms=self.max_wait_ms,
            timeout_ms=self.queue_timeout_ms,
            run_s=self.run_timeout_seconds,
        )

    @property
    def run_bytes(self) -> int:
        """Memory that one run of an edge detector may take, bytes."""
        return self.max_run_mb * 2**20

    @property
    def acceleration(self) -> Acceleration:
        """How graphs run on what is not the CPU."""
        return Acceleration(
            conv_search=self.cuda_conv_search,
            arena=self.cuda_arena,
            memory_mb=self.cuda_memory_mb,
            tf32=self.cuda_tf32,
            nhwc=self.cuda_nhwc,
            graphs=self.cuda_graphs,
            cpu_fallback=self.cpu_fallback,
            options=parsed(self.provider_options),
        )

    def wishes(self, cores: int | None) -> Wishes:
        """Gives what is settled of how to run the graphs."""
        return Wishes(
            cores=cores,
            max_batch_size=self.max_batch_size,
            threads=self.threads,
            instances=self.instances,
            acceleration=self.acceleration,
            trusted=self.trust_models,
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve."""

    host: str = text("127.0.0.1", "Address to listen on.")
    port: int = whole(8001, "Port; 0 takes a free one.", least=0, most=65535)
    metrics_port: int = whole(
        8002,
        "Port of the metrics, /metrics over HTTP for Prometheus; 0 takes a free one, which the log names.",
        least=0,
        most=65535,
    )
    metrics: bool = switch("Count requests, for Prometheus and for ModelStatistics.", default=True)
    log_format: str = text(
        LogFormat.HUMAN.value,
        "Log lines for people, or a JSON object a line.",
        choices=tuple(each.value for each in LogFormat),
    )
    log_level: str = text(
        "info",
        "The least that is worth a log line; debug has each request. `hondo log-level` changes it while a server runs.",
        choices=NAMES,
    )
    log_requests: bool = switch("Log a line for each request: model, status, time, id.")
    traces: str | None = text(
        None,
        "Send OpenTelemetry traces over gRPC (OTLP) to the collector at this URL, such as http://HOST:4317; needs "
        "hondo[otel]. What is sampled, OTEL_TRACES_SAMPLER says.",
        shown="none",
    )
    status_codes: str = text(
        StatusCodes.HONDO.value,
        "Whose codes and texts errors of the Open Inference Protocol have; Hondo's say more.",
        choices=tuple(each.value for each in StatusCodes),
    )
    shared_memory: bool = switch(
        "Let clients on this machine have tensors read from and written to POSIX shared memory: to any of it that this "
        "process may use, so only where all who reach the port are trusted. Needs a single worker."
    )
    device: str = text(
        AUTO,
        "Where models run: cpu, cuda, or several GPUs (cuda:0,cuda:1), each with a session of its own; work goes to "
        "the one with least to do. auto is CUDA where it comes up, else the CPU.",
        form=ASKED,
        expected=ASKED_TEXT,
    )
    provider: str | None = text(
        None,
        "Execution provider of ONNX Runtime that models run on, such as tensorrt or openvino: one that the installed "
        "package has.",
        shown="by --device",
    )
    watch: bool = switch(
        "Keep up with the folder: load new versions behind the traffic, check and warm them, then swap; retire those "
        "whose folders are gone. A version that does not load is refused, and what was served stays."
    )
    watch_seconds: float = number(
        2.0,
        "How often --watch looks; a folder counts once two looks found it the same.",
        least=0,
        is_above_least=True,
    )
    load_timeout_seconds: float = number(
        300.0, "How long a model may take to load; then it is refused.", least=0, is_above_least=True
    )
    model_control: bool = switch(
        "Let clients load and unload models (RepositoryModelLoad, RepositoryModelUnload). Needs a single worker."
    )
    drain_seconds: float = number(30.0, "How long a stop waits for the calls in flight.", least=0)
    max_message_mb: int = whole(64, "Largest message taken or sent, MiB.", least=1, most=2047)
    max_image_mb: int = whole(_LIMITS.max_bytes // 2**20, "Largest picture file taken, MiB.", least=1)
    max_image_pixels: int = whole(_LIMITS.max_pixels, "Most in a picture.", least=1)
    max_image_side: int = whole(_LIMITS.max_side_px, "Most pixels in a picture's width or height.", least=1)
    workers: int = whole(1, "Processes that share the port; each connection is with one of them.", least=1)
    cores: int | None = whole(
        None,
        "Cores that each process works on.",
        least=1,
        shown="all it may use, shared among the workers",
    )
    watchdog: bool = switch("Measure how late the event loop comes to its calls; log it at the end.")
    tls_cert: Path | None = file("PEM file of the server's certificate: speak TLS, on both ports.")
    tls_key: Path | None = file("PEM file of its key. Both are read again when they change.")
    tls_client_ca: Path | None = file("PEM file of the authorities that clients' certificates must come from.")
    tokens: Path | None = file(
        "File of hashed tokens, one of which every call must carry; `hondo token` makes them. Read again when it "
        "changes."
    )
    insecure: bool = switch("Listen beyond this machine with neither TLS nor tokens.")
    client_calls_per_second: float | None = number(
        None,
        "Most calls that one client (token, else address) may begin in a second at each process.",
        least=0,
        is_above_least=True,
        shown="any",
    )
    client_calls_at_once: int | None = whole(
        None, "Most calls that one client may have under way at each process.", least=1, shown="any"
    )
    # Which of several workers this process is; None where it is the only one.
    worker: int | None = whole(None, "Which of several workers this process is.", is_hidden=True)
    # For models that have no settings of their own, and for each that has.
    model: ModelSettings = field(default_factory=ModelSettings)
    models: Mapping[str, ModelSettings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)
        if self.model_control and (self.workers > 1 or self.worker is not None):
            raise InvalidSettings(
                "--model-control needs --workers 1: a request to load or unload reaches only the one worker that the "
                "client is connected to. With several workers use --watch, which each of them follows"
            )
        if self.shared_memory and (self.workers > 1 or self.worker is not None):
            raise InvalidSettings(
                "--shared-memory needs --workers 1: a region is registered with only the one worker that the client is "
                "connected to"
            )

    @classmethod
    def read(cls, path: Path | None, stated: Mapping[str, object], *, is_beside_models: bool = False) -> Self:
        """Puts a file and a command line together.

        Args:
            path: of a TOML file; its tables [models.NAME] have what differs for a model.
            stated: what the command line says, by the settings' names; it goes before all that the file says.
            is_beside_models: whether the file came with the models, so that it may not say all.

        Raises:
            InvalidSettings: the file cannot be read or has something wrong in it, all of which the text names; or the
                settings contradict each other.
        """
        table = {} if path is None else _parsed(path)
        tables = table.pop(_MODELS, {})
        wrong: list[str] = []
        found = {**_checked(table, _ALL, "", wrong), **stated}
        of_models = _of_models(tables, wrong)
        if is_beside_models:
            wrong += _beyond([_without(found, stated), *(_without(each, stated) for each in of_models.values())])
        if wrong:
            raise InvalidSettings("\n".join(f"{path}: {each}" for each in wrong))
        of_all = {name: found.pop(name) for name in _OF_MODEL if name in found}
        own = {
            name: ModelSettings(**{**of_all, **_without(each, stated)})  # type: ignore[arg-type]
            for name, each in of_models.items()
        }
        return cls(model=ModelSettings(**of_all), models=own, **found)  # type: ignore[arg-type]

    def of(self, name: str) -> ModelSettings:
        """Gives a model's settings."""
        return self.models.get(name, self.model)

    @property
    def access(self) -> AccessSettings:
        """How closed the server is."""
        return AccessSettings(
            certificate=self.tls_cert,
            key=self.tls_key,
            client_ca=self.tls_client_ca,
            tokens=self.tokens,
            insecure=self.insecure,
            calls_per_s=self.client_calls_per_second,
            calls_at_once=self.client_calls_at_once,
        )

    @property
    def max_message_bytes(self) -> int:
        """The largest message taken or sent."""
        return self.max_message_mb * 2**20

    @property
    def images(self) -> Limits:
        """How large pictures may be."""
        return Limits(
            max_bytes=self.max_image_mb * 2**20, max_pixels=self.max_image_pixels, max_side_px=self.max_image_side
        )


def _check(settings: "Settings | ModelSettings") -> None:
    """Holds that each setting is within its bounds."""
    for each in fields(settings):
        told, value = about(each), getattr(settings, each.name)
        if told is None or (value is None and each.default is None):
            continue
        try:
            told.read(value)
        except InvalidSettings as error:
            raise InvalidSettings(f"{each.name}: {error}") from error


def settings_of(kind: type[Settings] | type[ModelSettings]) -> dict[str, tuple[About, object]]:
    """Gives the settings of one of the two by their names: what is to be known of each, and its default."""
    found = {each.name: (about(each), each.default) for each in fields(kind)}
    return {name: (told, default) for name, (told, default) in found.items() if told is not None}


_OF_MODEL: Final = {name: told for name, (told, _) in settings_of(ModelSettings).items()}
_OF_SERVER: Final = {name: told for name, (told, _) in settings_of(Settings).items() if not told.is_hidden}
_ALL: Final = {**_OF_SERVER, **_OF_MODEL}


def _parsed(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text("utf-8"))
        _check_numbers(table)
    except OSError as error:
        raise InvalidSettings(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidSettings(f"{file} is no TOML: {error}") from error
    return table


def _check_numbers(value: object) -> None:
    """Holds that whole numbers have 64 bits, as TOML's have: Python's, which may have more, cannot all be told."""
    if isinstance(value, int) and value.bit_length() >= 64:
        raise ValueError("a whole number has more than 64 bits")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(each)


def _of_models(tables: object, wrong: list[str]) -> dict[str, dict[str, object]]:
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        wrong.append(f"{_MODELS}: tables expected, such as [{_MODELS}.lenet5]")
        return {}
    return {name: _checked(table, _OF_MODEL, f"[{_MODELS}.{name}] ", wrong) for name, table in tables.items()}


def _beyond(tables: Iterable[Mapping[str, object]]) -> list[str]:
    """Gives what is wrong with tables of a file beside the models."""
    allowed = {name for table in tables for name, value in table.items() if value}
    return [
        f"{name}: not in a file beside the models, for whoever brings models would allow it to themselves; say it on "
        "the command line, or in a file of yours with --config"
        for name in _NOT_BESIDE_MODELS
        if name in allowed
    ]


def _checked(
    table: Mapping[str, object], known: Mapping[str, About], where: str, wrong: list[str]
) -> dict[str, object]:
    """Reads the settings of a table; notes what is wrong with the others."""
    read: dict[str, object] = {}
    for name, stated in table.items():
        if name not in known:
            wrong.append(f"{where}{name}: {_why_unknown(name, known)}")
            continue
        try:
            read[name] = known[name].read(stated)
        except InvalidSettings as error:
            wrong.append(f"{where}{name}: {error}")
    return read


def _why_unknown(name: str, known: Mapping[str, About]) -> str:
    if name in _OF_SERVER:
        return "a setting of the server, not a model's: it stands above all tables"
    near = difflib.get_close_matches(name.replace("-", "_").lower(), known, n=1)
    return "there is no such setting" + (f"; {near[0]} is meant?" if near else "; `hondo serve --help` lists all")


def _without(table: Mapping[str, object], names: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in table.items() if name not in names}
