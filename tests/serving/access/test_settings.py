"""How closed a server is: what goes together, and what must be said."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from hondo.errors import InvalidRequest
from serving.access.settings import AccessSettings

FILE = Path("file")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"])
def test_this_machine_may_ask(host: str) -> None:
    """A server that only this machine reaches needs nothing."""
    AccessSettings().check(host)


@pytest.mark.parametrize("host", [str(ip_address(0)), "::", "[::]", "192.0.2.1", "example.org", ""])
def test_others_must_not_ask_by_oversight(host: str) -> None:
    """Beyond this machine it takes TLS, tokens, or the word that none is needed."""
    with pytest.raises(InvalidRequest, match="--insecure"):
        AccessSettings().check(host)
    AccessSettings(insecure=True).check(host)
    AccessSettings(tokens=FILE).check(host)
    AccessSettings(certificate=FILE, key=FILE).check(host)


@pytest.mark.parametrize("half", ["certificate", "key", "client_ca"])
def test_halves_are_refused(half: str) -> None:
    """A certificate needs its key, and to ask clients for theirs needs both."""
    given = {name: FILE if name == half else None for name in ("certificate", "key", "client_ca")}
    with pytest.raises(InvalidRequest):
        AccessSettings(certificate=given["certificate"], key=given["key"], client_ca=given["client_ca"])
