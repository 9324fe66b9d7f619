"""Questions to the health service: what its tests share."""

from collections.abc import Iterator

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.serving.asking import PATIENCE_S


def check(channel: grpc.Channel, name: str) -> int:
    """Gives the health of a name, once."""
    call: grpc.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = channel.unary_unary(
        "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    return call(HealthCheckRequest(service=name), timeout=PATIENCE_S).status


def watch(channel: grpc.Channel, name: str) -> Iterator[int]:
    """Gives the health of a name, and again whenever it changes."""
    call: grpc.UnaryStreamMultiCallable[HealthCheckRequest, HealthCheckResponse] = channel.unary_stream(
        "/grpc.health.v1.Health/Watch", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    return (answer.status for answer in call(HealthCheckRequest(service=name), timeout=PATIENCE_S))
