"""The exposition: metrics over HTTP, for Prometheus to scrape."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from hondo.errors import Unavailable

_log = logging.getLogger(__name__)


@contextmanager
def exposed(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Answers http://HOST:PORT/metrics from threads of its own; gives the port's number.

    Args:
        registry: the metrics.
        host: a name or an address; one of IPv6 may be in brackets.
        port: 0 takes a free one.

    Raises:
        Unavailable: the port cannot be had.
    """
    try:
        server, thread = start_http_server(port, host.strip("[]"), registry)
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {host}:{port} for metrics: is another server there? Try another --metrics-port"
        ) from error
    _log.info("metrics on http://%s:%d/metrics", host, server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
