"""`hondo health`: asks a server whether it serves, for probes that cannot speak gRPC."""

from typing import Final

import click
import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from hondo.access import Access, asks
from hondo.channel import raised
from hondo.errors import Unavailable

_CHECK: Final = "/grpc.health.v1.Health/Check"


@click.command()
@asks
@click.option("--model", default="", help="Ask about this model; about the server as a whole unless given.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="How long to wait for the answer, seconds.",
)
def health(server: str, access: Access, *, model: str, timeout_s: float) -> None:
    """Ask a server whether it serves: exit code 0 if it does, 1 if not."""
    with access.channel(server) as channel:
        try:
            check = channel.unary_unary(_CHECK, HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString)
            answer = check(HealthCheckRequest(service=model), timeout=timeout_s)
        except grpc.RpcError as error:
            raise raised(error, server) from error
    said = HealthCheckResponse.ServingStatus.Name(answer.status)
    if answer.status != HealthCheckResponse.SERVING:
        raise Unavailable(f"{server} says {said}")
    click.echo(said)
