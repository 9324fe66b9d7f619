"""How closed a server is, as `hondo serve` is told."""

import functools
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from hondo.errors import InvalidRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessSettings:
    """What was asked for."""

    # PEM files: the server's certificate and its key; the authorities that clients' certificates must come from.
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    # The file of tokens, one of which every call must carry.
    tokens: Path | None = None
    # Listen beyond this machine although anybody there may ask.
    insecure: bool = False
    # Most calls of one client, begun in a second and under way at once.
    calls_per_s: float | None = None
    calls_at_once: int | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequest("--tls-cert and --tls-key belong together: give both or neither")
        if self.client_ca and not self.certificate:
            raise InvalidRequest("--tls-client-ca asks clients for certificates, which takes --tls-cert and --tls-key")

    def check(self, host: str) -> None:
        """Makes sure that nobody listens beyond this machine by oversight.

        Raises:
            InvalidRequest: others could ask, unknown and unseen.
        """
        if self.insecure or self.certificate or self.tokens or is_loopback(host):
            return
        raise InvalidRequest(
            f"--host {host} lets others ask, and neither TLS nor tokens are set: give --tls-cert and --tls-key, or "
            "--tokens, or say --insecure where something else keeps strangers out"
        )


def is_loopback(host: str) -> bool:
    """Says whether only this machine reaches an address or a name."""
    bare = host.strip("[]")
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def access_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives `hondo serve` the options that say how closed it is; it gets them as its first argument."""

    @functools.wraps(command)
    def taking(
        *,
        tls_cert: Path | None,
        tls_key: Path | None,
        tls_client_ca: Path | None,
        tokens: Path | None,
        insecure: bool,
        client_calls_per_second: float | None,
        client_calls_at_once: int | None,
        **others: object,
    ) -> None:
        settings = AccessSettings(
            certificate=tls_cert,
            key=tls_key,
            client_ca=tls_client_ca,
            tokens=tokens,
            insecure=insecure,
            calls_per_s=client_calls_per_second,
            calls_at_once=client_calls_at_once,
        )
        command(settings, **others)

    for option in reversed(_OPTIONS):
        taking = option(taking)
    return taking


_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
_OPTIONS: Final = (
    click.option("--tls-cert", type=_FILE, help="PEM file of the server's certificate: speak TLS, on both ports."),
    click.option("--tls-key", type=_FILE, help="PEM file of its key. Both are read again when they change."),
    click.option(
        "--tls-client-ca", type=_FILE, help="PEM file of the authorities that clients' certificates must come from."
    ),
    click.option(
        "--tokens",
        type=_FILE,
        help="File of hashed tokens, one of which every call must carry; `hondo token` makes them. Read again when it "
        "changes.",
    ),
    click.option("--insecure", is_flag=True, help="Listen beyond this machine with neither TLS nor tokens."),
    click.option(
        "--client-calls-per-second",
        type=click.FloatRange(0, min_open=True),
        show_default="any",
        help="Most calls that one client (token, else address) may begin in a second at each process.",
    ),
    click.option(
        "--client-calls-at-once",
        type=click.IntRange(1),
        show_default="any",
        help="Most calls that one client may have under way at each process.",
    ),
)
