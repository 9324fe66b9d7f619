"""`hondo log-level`: which lines a running server logs."""

from typing import Final

import click
import grpc

from hondo.access import Access, asks
from hondo.channel import raised
from protos.rpc import INFERENCE, unary
from protos.triton_pb2 import LogSettingsRequest, LogSettingsResponse

_LEVELS: Final = ("debug", "info", "warning", "error")
_TIMEOUT_S: Final = 10.0


@click.command("log-level")
@click.argument("level", type=click.Choice(_LEVELS), required=False)
@asks
def log_level(server: str, access: Access, *, level: str | None) -> None:
    """Change which lines a running server logs, in all of its workers: those of LEVEL, and all that matter more.

    debug has a line for each request. Without LEVEL, only says what it logs. Where the server asks for tokens, this one
    needs the permission "control".
    """
    with access.channel(server) as channel:
        ask = unary(channel, INFERENCE, "LogSettings", LogSettingsResponse)
        try:
            answer = ask(_request(level), timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            raise raised(error, server) from error
    click.echo(_named(answer))


def _request(level: str | None) -> LogSettingsRequest:
    request = LogSettingsRequest()
    if level is not None:
        place = _LEVELS.index(level)
        for number, name in enumerate(_LEVELS[1:], 1):
            request.settings[f"log_{name}"].bool_param = place <= number
        request.settings["log_verbose_level"].uint32_param = int(place == 0)
    return request


def _named(answer: LogSettingsResponse) -> str:
    """Gives the levels that a server logs."""
    shown = ["debug"] if answer.settings["log_verbose_level"].uint32_param else []
    shown += [name for name in _LEVELS[1:] if answer.settings[f"log_{name}"].bool_param]
    return f"logs {', '.join(shown) or 'nothing'}"
