"""How closed a server is, as `hondo serve` is told."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

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
