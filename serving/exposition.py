"""The exposition: metrics over HTTP, for Prometheus to scrape, and whether the server serves, for all who ask."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from hondo.errors import PermissionDenied, Unauthenticated, Unavailable
from serving.access.door import OPEN_DOOR, Door
from serving.access.guard import allowed, bearer
from serving.access.permission import Permission

_log = logging.getLogger(__name__)

# How long whoever connects may take to say what it wants, seconds.
_PATIENCE_S: Final = 10.0
# How long it waits where it can take no connection.
_PAUSE_S: Final = 0.1
_PLAIN: Final = "text/plain; charset=utf-8"


@contextmanager
def exposed(
    registry: CollectorRegistry,
    host: str,
    port: int,
    is_serving: Callable[[], bool],
    door: Door = OPEN_DOOR,
) -> Iterator[int]:
    """Answers /metrics and /healthz of http://HOST:PORT from threads of its own; gives the port's number.

    Args:
        registry: the metrics.
        host: a name or an address; one of IPv6 may be in brackets.
        port: 0 takes a free one.
        is_serving: what /healthz tells; asked from any thread.
        door: TLS and tokens; /healthz takes none of the latter.

    Raises:
        Unavailable: the port cannot be had.
    """
    try:
        server = _Server(host.strip("[]"), port, registry, is_serving, door)
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {host}:{port} for metrics: is another server there? Try another --metrics-port"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    scheme = "https" if door.certificates else "http"
    _log.info("metrics on %s://%s:%d/metrics", scheme, host, server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, is_serving: Callable[[], bool], door: Door
    ) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self.registry = registry
        self.is_serving = is_serving
        self.door = door
        super().__init__((str(address[0]), port), _Handler)

    def get_request(self) -> tuple[socket.socket, object]:
        """Takes a connection; where the process has no file handle left for one, it waits a moment."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_PAUSE_S)  # whoever knocks would be heard again at once
            raise

    def finish_request(self, request: object, client_address: object) -> None:
        """Shakes hands in the connection's own thread, where whoever is slow at it holds up nobody else."""
        assert isinstance(request, socket.socket)
        request.settimeout(_PATIENCE_S)
        try:
            if self.door.certificates:
                request = self.door.certificates.value.context.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            if self.door.certificates:
                request.close()
        except OSError as error:  # a broken handshake among them: whoever scans ports is no news
            _log.debug("a connection for metrics broke: %s", error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "hondo"
    sys_version = ""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/healthz":
                self._tell_health()
            case "/metrics":
                self._tell_metrics()
            case _:
                self._answer(HTTPStatus.NOT_FOUND, _PLAIN, b"there is /metrics and /healthz\n")

    def _tell_health(self) -> None:
        if self.server.is_serving():
            self._answer(HTTPStatus.OK, _PLAIN, b"serving\n")
        else:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, b"not serving\n")

    def _tell_metrics(self) -> None:
        try:
            if tokens := self.server.door.tokens:
                token = bearer(self.headers.get("Authorization"))
                allowed(tokens.value, token, Permission.METRICS, "/metrics")
        except Unauthenticated as error:
            self._answer(HTTPStatus.UNAUTHORIZED, _PLAIN, f"{error}\n".encode(), ("WWW-Authenticate", "Bearer"))
        except PermissionDenied as error:
            self._answer(HTTPStatus.FORBIDDEN, _PLAIN, f"{error}\n".encode())
        else:
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, content_type, encode(self.server.registry))

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", content_type), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Says nothing: a scrape every few seconds is no news."""
