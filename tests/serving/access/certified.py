"""Certificates for tests: an authority, and what it certifies, as files."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Files:
    """PEM files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """An authority of a test's own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._authority = trustme.CA(organization_name=name)
        self._folder = folder
        self.ca = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def certify(self, name: str) -> Files:
        """Writes a certificate for this machine and its key, over those of the same name."""
        issued = self._authority.issue_cert("localhost", "127.0.0.1", common_name=name)
        files = Files(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        files.key.write_bytes(issued.private_key_pem.bytes())
        files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return files
