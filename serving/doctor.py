"""`hondo doctor`: looks over what a server here would need, and says of what is wrong what to do."""

import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import click
import onnxruntime

from hondo import artifact
from hondo.errors import DeviceUnavailable, HondoError
from serving.access.certificates import Certificates
from serving.access.settings import is_loopback
from serving.access.tokens import Tokens
from serving.catalog import confines, place
from serving.runtime.cores import available
from serving.runtime.device import choose
from serving.runtime.providers import CUDA_PROVIDER

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  only looked at
_MEMORY_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Fewer open files than this are used up by a few hundred clients.
_FILES: Final = 1024
_LEAST_MB: Final = 512
_NVIDIA: Final = Path("/proc/driver/nvidia/version")


class Verdict(StrEnum):
    """How something is."""

    FINE = "fine"
    MIND = "mind"
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and what to do about it."""

    verdict: Verdict
    seen: str
    advice: str = ""


@click.command()
@click.argument("models", type=click.Path(path_type=Path), required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="As for `hondo serve`.")
@click.option("--port", type=click.IntRange(1, 65535), default=8001, show_default=True, help="As for `hondo serve`.")
@click.option(
    "--metrics-port", type=click.IntRange(1, 65535), default=8002, show_default=True, help="As for `hondo serve`."
)
@click.option("--tokens", type=click.Path(path_type=Path), help="As for `hondo serve`.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="As for `hondo serve`.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="As for `hondo serve`.")
def doctor(
    *,
    models: Path | None,
    host: str,
    port: int,
    metrics_port: int,
    tokens: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Look over libraries, devices, limits, ports, secrets and the folder MODELS; exit code 1 if anything is bad.

    Run it where the server is to run and as its user, with the server's own options. It loads no model: that is what
    `hondo serve --dry-run` does.
    """
    findings = [
        *_libraries(),
        *_device(),
        *_limits(),
        *_ports(host, (port, metrics_port)),
        *_access(host, tokens, tls_cert, tls_key),
        *(_models(models) if models else ()),
    ]
    for finding in findings:
        click.echo(f"{finding.verdict:4}  {finding.seen}")
        if finding.advice:
            click.echo(f"      -> {finding.advice}")
    bad = sum(finding.verdict is Verdict.BAD for finding in findings)
    if bad:
        raise click.ClickException(f"{bad} of {len(findings)} things would keep a server from working")


def _libraries() -> Iterator[Finding]:
    names = ("hondo", "grpcio", "protobuf", "numpy", "pillow")
    told = ", ".join(f"{name} {version(name)}" for name in names)
    yield Finding(Verdict.FINE, f"Python {sys.version.split()[0]}, {told}")
    wheels = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    if len(wheels) > 1:
        advice = f"pip uninstall {' '.join(wheels)}, then install hondo[serve] or hondo[serve-cpu]"
        yield Finding(
            Verdict.BAD, "onnxruntime and onnxruntime-gpu are both installed: one module in two wheels", advice
        )
    else:
        yield Finding(Verdict.FINE, f"{' '.join(wheels) or 'onnxruntime'} {onnxruntime.__version__}")


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _device() -> Iterator[Finding]:
    providers = ", ".join(onnxruntime.get_available_providers())
    has_driver = _NVIDIA.exists()
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        if has_driver:
            yield Finding(
                Verdict.MIND, f"an NVIDIA driver, but only {providers}", "install hondo[serve] to use the GPU"
            )
        else:
            yield Finding(Verdict.FINE, f"models run on the CPU ({providers})")
        return
    try:
        choose("cuda")
    except DeviceUnavailable as error:
        advice = "install the driver, or mount it into the container" if not has_driver else str(error)
        yield Finding(Verdict.MIND, f"CUDA does not come up, so models run on the CPU ({providers})", advice)
    else:
        yield Finding(Verdict.FINE, f"models run on CUDA ({providers})")


def _limits() -> Iterator[Finding]:
    yield Finding(Verdict.FINE, f"{available()} cores may be used of {os.cpu_count()}")
    limit_mb = _memory_mb()
    if limit_mb is not None and limit_mb < _LEAST_MB:
        yield Finding(Verdict.MIND, f"memory is limited to {limit_mb} MiB", f"{_LEAST_MB} MiB or more are usual")
    elif limit_mb is not None:
        yield Finding(Verdict.FINE, f"memory is limited to {limit_mb} MiB")
    if sys.platform != "win32":
        import resource

        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if files < _FILES:
            yield Finding(Verdict.MIND, f"{files} files may be open", f"ulimit -n {_FILES} or more: each client is one")
        else:
            yield Finding(Verdict.FINE, f"{files} files may be open")
    if _MEMORY.is_dir() and not os.access(_MEMORY, os.W_OK):
        yield Finding(Verdict.MIND, f"{_MEMORY} cannot be written", "--workers count their metrics on disk instead")


def _memory_mb() -> int | None:
    for path in _MEMORY_LIMITS:
        try:
            text = path.read_text("ascii").strip()
        except OSError:
            continue
        # Version 1 of cgroups says "none" by a number that no machine has.
        if text.isdecimal() and int(text) < 2**60:
            return int(text) // 2**20
    return None


def _ports(host: str, ports: tuple[int, ...]) -> Iterator[Finding]:
    for port in ports:
        try:
            with ExitStack() as stack:
                for family, kind, _, _, address in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM):
                    stack.enter_context(socket.socket(family, kind)).bind(address)
        except OSError as error:
            advice = "another server may have it (ss -ltnp): take another port"
            yield Finding(Verdict.BAD, f"{host}:{port} cannot be had: {error.strerror or error}", advice)
        else:
            yield Finding(Verdict.FINE, f"{host}:{port} is free")


def _access(host: str, tokens: Path | None, certificate: Path | None, key: Path | None) -> Iterator[Finding]:
    if not is_loopback(host) and not (tokens or certificate):
        advice = "give --tokens, or --tls-cert and --tls-key; or say --insecure to the server"
        yield Finding(Verdict.MIND, f"{host} lets others ask, and nothing is asked of them", advice)
    try:
        if tokens:
            Tokens.read(tokens)
            yield Finding(Verdict.FINE, f"{tokens} is a file of tokens")
        if certificate and key:
            Certificates.read(certificate, key, None)
            yield Finding(Verdict.FINE, f"{certificate} and {key} belong together")
    except HondoError as error:
        yield Finding(Verdict.BAD, str(error), "see that this user can read it")
    if key and key.exists() and key.stat().st_mode & stat.S_IROTH:
        yield Finding(Verdict.MIND, f"{key} can be read by everybody", f"chmod o-r {key}")


def _models(folder: Path) -> Iterator[Finding]:
    try:
        places = place.look(folder)
        place.check_any(folder, places)
    except (OSError, HondoError) as error:
        yield Finding(Verdict.BAD, f"{error}", "see that the folder is there, and this user can read it")
        return
    for each in places:
        try:
            confines.check_links(each.path)
            if (each.path / artifact.MANIFEST).exists():
                artifact.read(each.path)
            confines.check_graphs(each.path)
        except (OSError, HondoError) as error:
            yield Finding(Verdict.BAD, str(error), "put the version back as it was exported, or take its folder away")
        else:
            yield Finding(Verdict.FINE, f"{each.name} version {each.version} is whole")
