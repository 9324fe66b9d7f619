"""Certificates: a server's own and its key, and the authorities that its clients' must come from."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from hondo.errors import InvalidRequest
from serving.access.watched import Watched


@dataclass(frozen=True, slots=True)
class Certificates:
    """What was read of the files, and is known to fit together."""

    chain: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    # The same for servers other than gRPC's.
    context: ssl.SSLContext

    @classmethod
    def read(cls, certificate: Path, key: Path, client_ca: Path | None) -> "Certificates":
        """Reads PEM files.

        Raises:
            InvalidRequest: one cannot be read, or certificate and key are not each other's.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # No password: without this, OpenSSL would ask the terminal for that of a locked key, and wait.
            context.load_cert_chain(certificate, key, password="")
            if client_ca:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            return cls(
                certificate.read_bytes(), key.read_bytes(), client_ca.read_bytes() if client_ca else None, context
            )
        except (OSError, ValueError) as error:
            files = ", ".join(str(path) for path in (certificate, key, client_ca) if path)
            raise InvalidRequest(
                f"these are not a certificate in PEM, its key and authorities: {files}: {error}"
            ) from error

    @property
    def of_grpc(self) -> grpc.ServerCertificateConfiguration:
        """The same as gRPC wants it."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.chain)], self.client_ca)


def credentials(certificates: Watched[Certificates]) -> grpc.ServerCredentials:
    """Gives the credentials of a gRPC server, which asks for the newest certificate at each new connection."""
    first = certificates.value
    return grpc.dynamic_ssl_server_credentials(
        first.of_grpc, lambda: certificates.value.of_grpc, require_client_authentication=first.client_ca is not None
    )
