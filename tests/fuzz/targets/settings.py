"""Files of settings."""

import tempfile
from pathlib import Path
from typing import Final

from serving.settings import ModelSettings, Settings, settings_of

_FILE: Final = Path(tempfile.mkdtemp(prefix="hondo-fuzz-")) / "hondo.toml"


def seeds() -> list[bytes]:
    """Gives files with every setting, by its default or by its least value, and such as are rare."""
    of_all = {**settings_of(Settings), **settings_of(ModelSettings)}
    stated = {name: told.least if default is None else default for name, (told, default) in of_all.items()}
    lines = [
        f"{name} = {_toml(value)}" for name, value in stated.items() if isinstance(value, bool | int | float | str)
    ]
    models = [f"{name} = {_toml(default)}" for name, (_, default) in settings_of(ModelSettings).items()]
    rare = [
        'tls_cert = "/dev/null"',
        "port = 0x1F41",
        "max_wait_ms = 1e3",
        "max_wait_ms = inf",
        "[models]",
        "a = [[1]]",
    ]
    of_models = [f"[models.{name}]\nversions = {versions}" for name, versions in (("a", '"1,3"'), ('"a b"', "[1, 2]"))]
    return [
        each.encode() for each in ("\n".join(lines), "\n".join(["[models.side]", *models]), *lines, *rare, *of_models)
    ]


def _toml(value: object) -> str:
    return (
        {True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else f'"{value}"'
        if isinstance(value, str)
        else f"{value}"
    )


def one(data: bytes) -> None:
    """Reads one, and asks of it what a server asks."""
    _FILE.write_bytes(data)
    settings = Settings.read(_FILE, {})
    for each in (settings.model, *settings.models.values()):
        each.wishes(settings.cores)
        int((each.queueing.max_wait_ms or 0) * 1000 + (each.queueing.timeout_ms or 0) * 1000)
        int(each.sequence_idle_seconds * 1e6)
