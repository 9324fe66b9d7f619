"""The options of `hondo serve`: one for each setting, with its bounds and its explanation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from hondo.errors import InvalidSettings
from serving.catalog.versions import Versions
from serving.setting import About, Kind
from serving.settings import ModelSettings, Settings, settings_of

_SETTINGS: Final = {**settings_of(Settings), **settings_of(ModelSettings)}


class _VersionsType(click.ParamType[Versions]):
    """A choice of versions on the command line."""

    name = "versions"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Versions:
        try:
            return value if isinstance(value, Versions) else Versions.parse(value)
        except InvalidSettings as error:
            self.fail(str(error), param, ctx)


def of_settings(command: Callable[..., object]) -> Callable[..., object]:
    """Gives a command an option for each setting."""
    for name, (told, default) in reversed(_SETTINGS.items()):
        command = _option(name, told, default)(command)
    return command


def is_stated(context: click.Context, name: str) -> bool:
    """Says whether the command line states an option, if only its default."""
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def stated(context: click.Context) -> dict[str, object]:
    """Gives the settings that the command line states."""
    return {name: context.params[name] for name in _SETTINGS if is_stated(context, name)}


def _option(name: str, told: About, default: object) -> Callable[..., Any]:
    option = "--" + name.replace("_", "-")
    shown = told.shown or True
    if told.kind is Kind.SWITCH:
        return click.option(f"{option}/--no{option[1:]}", default=default, show_default=shown, help=told.help)
    kind = _type(told)
    return click.option(option, type=kind, default=default, show_default=shown, help=told.help, hidden=told.is_hidden)


def _type(told: About) -> click.ParamType[Any]:
    if told.choices:
        return click.Choice(told.choices)
    match told.kind:
        case Kind.WHOLE:
            return click.IntRange(_whole(told.least), _whole(told.most), min_open=told.is_above_least)
        case Kind.NUMBER:
            return click.FloatRange(told.least, told.most, min_open=told.is_above_least)
        case Kind.FILE:
            return click.Path(path_type=Path, exists=True, dir_okay=False)
        case Kind.VERSIONS:
            return _VersionsType()
        case Kind.TEXT | Kind.SWITCH:
            return click.STRING


def _whole(bound: float | None) -> int | None:
    return None if bound is None else int(bound)
