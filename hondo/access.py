"""Access: how a client reaches a closed server: by TLS, with a certificate of its own, with a token."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import grpc
import grpc.aio

from hondo import channel
from hondo.errors import InvalidRequest

DEFAULT_SERVER: Final = "127.0.0.1:8001"
# The environment variable with the token: on a command line, every user of the machine could read it.
TOKEN: Final = "HONDO_TOKEN"  # noqa: S105  its name, not a token


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a client shows and what it demands.

    A certificate authority or a certificate of its own each ask for TLS too.
    """

    tls: bool = False
    # PEM file of the authorities that a server's certificate may come from; those that the system trusts, unless given.
    ca: Path | None = None
    # PEM files of the client's own certificate and its key, where the server asks for one (mutual TLS).
    certificate: Path | None = None
    key: Path | None = None
    # Goes with every call; HONDO_TOKEN in the environment, unless given.
    token: str | None = field(default_factory=lambda: os.environ.get(TOKEN), repr=False)

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequest("a client's certificate and its key belong together: give both or neither")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise InvalidRequest("the token is empty or has characters that no token has: see `hondo token --help`")

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def channel(self, server: str) -> grpc.Channel:
        """Opens a blocking channel to HOST:PORT."""
        credentials = self._credentials()
        if credentials is None:
            return grpc.insecure_channel(server, options=channel.OPTIONS)
        return grpc.secure_channel(server, credentials, options=channel.OPTIONS)

    def channel_async(self, server: str) -> grpc.aio.Channel:
        """Opens a channel for asyncio to HOST:PORT."""
        credentials = self._credentials()
        if credentials is None:
            return grpc.aio.insecure_channel(server, options=channel.OPTIONS)
        return grpc.aio.secure_channel(server, credentials, options=channel.OPTIONS)

    def _credentials(self) -> grpc.ChannelCredentials | None:
        if not (self.tls or self.ca or self.certificate):
            return None
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.certificate))


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that say which server to ask and how; it gets them as its first two arguments."""

    @functools.wraps(command)
    def asking(
        *,
        server: str,
        tls: bool,
        ca: Path | None,
        certificate: Path | None,
        key: Path | None,
        token: str | None,
        **others: object,
    ) -> None:
        access = Access(tls=tls, ca=ca, certificate=certificate, key=key, token=token)
        command(server, access, **others)

    for option in reversed(_OPTIONS):
        asking = option(asking)
    return asking


_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
_OPTIONS: Final = (
    click.option("--server", default=DEFAULT_SERVER, show_default=True, help="HOST:PORT of a Hondo server."),
    click.option("--tls", is_flag=True, envvar="HONDO_TLS", help="Speak TLS."),
    click.option(
        "--ca",
        type=_FILE,
        envvar="HONDO_CA",
        help="PEM file of the authorities that its certificate may come from.  [default: the system's]",
    ),
    click.option(
        "--cert", "certificate", type=_FILE, envvar="HONDO_CERT", help="PEM file of a certificate to show it."
    ),
    click.option("--key", type=_FILE, envvar="HONDO_KEY", help="PEM file of that certificate's key."),
    click.option("--token", envvar=TOKEN, help=f"Token to show it; rather by {TOKEN}, where nobody else sees it."),
)


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}") from error
