"""A port that several processes share, kept for them as long as they serve."""

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from hondo.errors import Unavailable

# What binding fails with where this machine has no such address, as often with IPv6 in containers.
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def refused(host: str, port: int) -> Unavailable:
    """Gives the error of a port that cannot be had."""
    return Unavailable(f"cannot listen on {host}:{port}: is another server there? Try another --port")


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Keeps a port for the processes of this user that listen with SO_REUSEPORT; gives its number.

    The sockets that keep it never listen, so no connection lands on them, and they hold the number while no process
    listens. Nobody else gets the port meanwhile.

    Args:
        host: a name or an address; one of IPv6 may be in brackets.
        port: 0 takes a free one.

    Raises:
        Unavailable: another server has the port, there is no such host, or this system does not spread connections.
    """
    if sys.platform != "linux":
        raise Unavailable("several workers share a port on Linux only: serve with --workers 1")
    with ExitStack() as stack:
        try:
            number = port
            for family, address in _addresses(host):
                kept = stack.enter_context(_bound(family, (address, number)))
                number = kept.getsockname()[1]
        except OSError as error:
            raise refused(host, port) from error
        yield number


def _addresses(host: str) -> list[tuple[int, str]]:
    """Gives the families and addresses of a host that this machine can listen on."""
    found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places: list[tuple[int, str]] = [(family, str(address[0])) for family, _, _, _, address in found]
    return [place for place in places if _exists(*place)] or places


def _exists(family: int, address: str) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno not in _NO_SUCH_ADDRESS
    return True


def _bound(family: int, place: tuple[str, int]) -> socket.socket:
    # SO_REUSEADDR: connections that a former server closed occupy the port for a minute.
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Fails where any server listens; with SO_REUSEPORT, it would join one of the same user.
        probe.bind(place)
    kept = socket.socket(family)
    try:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(place)
        # Off again, or another server that sets it could take the port while nobody listens.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        kept.close()
        raise
    return kept
