"""The door: what of certificates, tokens and limits stands between a server's ports and whoever comes."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import grpc
import grpc.aio

from serving.access.certificates import Certificates, credentials
from serving.access.guard import Guard
from serving.access.limits import Limits
from serving.access.settings import AccessSettings, is_loopback
from serving.access.tokens import Tokens
from serving.access.watched import Watched

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """What was read of the files; open to all where nothing was asked for."""

    certificates: Watched[Certificates] | None = None
    tokens: Watched[Tokens] | None = None
    limits: Limits | None = None
    # Whether clients must show certificates of theirs.
    asks_certificates: bool = False

    @classmethod
    def of(cls, settings: AccessSettings, host: str) -> "Door":
        """Reads the files.

        Raises:
            InvalidRequest: one of them is not what it should be, or strangers could ask by oversight.
        """
        settings.check(host)
        tokens = settings.tokens
        door = cls(
            _certificates(settings),
            Watched([tokens], lambda: Tokens.read(tokens)) if tokens else None,
            Limits(settings.calls_per_s, settings.calls_at_once)
            if settings.calls_per_s or settings.calls_at_once
            else None,
            asks_certificates=settings.client_ca is not None,
        )
        if not is_loopback(host) and not door.certificates:
            _log.warning("without TLS, all that is asked and answered, tokens too, crosses the network readable")
        return door

    @property
    def knows_clients(self) -> bool:
        """Whether it lets in only whom the server's owner has given a token or a certificate."""
        return self.tokens is not None or self.asks_certificates

    @property
    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        """What a gRPC server is to be made with."""
        return [Guard(self.tokens, self.limits)] if self.tokens or self.limits else []

    def open(self, server: grpc.aio.Server, address: str) -> int:
        """Has a gRPC server listen; gives the port. RuntimeError where that fails."""
        if self.certificates:
            return server.add_secure_port(address, credentials(self.certificates))
        return server.add_insecure_port(address)


# Lets everybody in.
OPEN_DOOR: Final = Door()


def _certificates(settings: AccessSettings) -> Watched[Certificates] | None:
    certificate, key, client_ca = settings.certificate, settings.key, settings.client_ca
    if certificate is None or key is None:
        return None
    files = [certificate, key, *([client_ca] if client_ca else [])]
    read: Callable[[], Certificates] = lambda: Certificates.read(certificate, key, client_ca)  # noqa: E731
    return Watched(files, read)
