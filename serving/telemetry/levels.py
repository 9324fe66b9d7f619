"""Levels: which lines the log has, changed while the server runs; workers that share a port share them."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from google.protobuf.message import Message

from hondo.errors import InvalidRequest, NotSupported
from protos.triton_pb2 import LogSettingsRequest, LogSettingsResponse
from serving.telemetry import logs

_log = logging.getLogger(__name__)

# The names of the named levels, the most talkative first.
NAMES: Final = ("debug", "info", "warning", "error")
# What Triton calls them, and what it has besides.
_SWITCHES: Final = {"log_info": "info", "log_warning": "warning", "log_error": "error"}
_VERBOSE: Final = "log_verbose_level"
_FIELDS: Final = {**_SWITCHES, _VERBOSE: "verbose"}
_FIXED: Final = ("log_file", "log_format")
_FILE: Final = "log-levels"
# How soon a worker knows what another one was told.
_EVERY_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Levels:
    """Which lines the log has."""

    info: bool = True
    warning: bool = True
    error: bool = True
    # Above 0 also a line for each request, and what else only who looks for a fault wants to see.
    verbose: int = 0

    @classmethod
    def named(cls, name: str) -> Self:
        """Gives those of a level: itself and all that matter more."""
        place = NAMES.index(name)
        return cls(info=place <= 1, warning=place <= 2, error=True, verbose=int(place == 0))

    def changed(self, settings: Mapping[str, LogSettingsRequest.SettingValue]) -> Self:
        """Gives what a request of LogSettings makes of them.

        Raises:
            InvalidRequest: it has a setting that there is not, or a value that is not the setting's.
            NotSupported: it has one that is settled when the server starts.
        """
        values = {_FIELDS.get(name, name): _read(name, value) for name, value in settings.items()}
        return replace(self, **values)

    def told(self) -> LogSettingsResponse:
        """Gives what to answer."""
        response = LogSettingsResponse()
        for name, field in _SWITCHES.items():
            response.settings[name].bool_param = getattr(self, field)
        response.settings[_VERBOSE].uint32_param = self.verbose
        return response

    def show(self) -> None:
        """Has the log of this process go by them."""
        switches = {logging.DEBUG: self.verbose > 0, logging.INFO: self.info, logging.WARNING: self.warning}
        logs.show({**switches, logging.ERROR: self.error})


def _read(name: str, value: Message) -> Any:
    if name in _FIXED:
        raise NotSupported(f"{name} is settled when the server starts: --log-format, and where standard error goes")
    choice = "uint32_param" if name == _VERBOSE else "bool_param"
    if name not in _FIELDS:
        raise InvalidRequest(f"settings: there is no {name[:100]!r}, but {', '.join(_FIELDS)}")
    if value.WhichOneof("parameter_choice") != choice:
        raise InvalidRequest(f"settings: {name}: {'a whole number' if name == _VERBOSE else 'true or false'} expected")
    return getattr(value, choice)


class Shown:
    """The levels that are in force here; with a folder, in all processes that share it."""

    def __init__(self, levels: Levels, folder: Path | None) -> None:
        """Puts levels into force, or those that another process has put into the folder before.

        Args:
            levels: what the command line asks for.
            folder: what workers and their supervisor share; None where there is one process.
        """
        self.levels = levels
        self._file = None if folder is None else folder / _FILE
        self._seen = ""
        levels.show()
        self._look()

    def set(self, levels: Levels) -> None:
        """Puts others into force; says so, whatever the log has otherwise."""
        Levels().show()
        _log.warning("the log's levels: %s", json.dumps(asdict(levels)))
        self._take(levels)
        if self._file is not None:
            aside = self._file.with_name(f"{_FILE}.new")
            aside.write_text(json.dumps(asdict(levels)))
            aside.rename(self._file)

    async def follow(self) -> None:
        """Keeps to what other processes put into force, until cancelled; at once where there are none."""
        while self._file is not None:
            self._look()
            await asyncio.sleep(_EVERY_S)

    def _look(self) -> None:
        if self._file is None or not self._file.exists():
            return
        told = self._file.read_text()
        if told != self._seen:
            self._seen = told
            self._take(Levels(**json.loads(told)))

    def _take(self, levels: Levels) -> None:
        self.levels = levels
        levels.show()
