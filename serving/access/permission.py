"""Permissions: what each method asks of a token."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from protos.rpc import HONDO, INFERENCE


class Permission(StrEnum):
    """What a token may allow."""

    INFERENCE = "inference"
    CONTROL = "control"
    METRICS = "metrics"


# Methods that anybody may call, token or none: probes have none, and learn no more than that the server is there.
OPEN: Final = frozenset(
    {
        *(f"/grpc.health.v1.Health/{method}" for method in ("Check", "List", "Watch")),
        *(f"/{INFERENCE.full_name}/{method}" for method in ("ServerLive", "ServerReady")),
    }
)
_INFERENCE: Final = {
    HONDO.full_name: (
        *("Classify", "ClassifyStream", "DetectEdges", "Generate", "Caption", "Score"),
        *("ListModels", "GetModel"),
    ),
    INFERENCE.full_name: (
        *("ModelInfer", "ModelStreamInfer"),
        *("ServerMetadata", "ModelReady", "ModelMetadata", "ModelConfig", "RepositoryIndex"),
    ),
    "grpc.reflection.v1alpha.ServerReflection": ("ServerReflectionInfo",),
    "grpc.reflection.v1.ServerReflection": ("ServerReflectionInfo",),
}
_METRICS: Final = {INFERENCE.full_name: ("ModelStatistics",)}
NEEDED: Final = MappingProxyType(
    {
        f"/{service}/{method}": permission
        for permission, services in ((Permission.INFERENCE, _INFERENCE), (Permission.METRICS, _METRICS))
        for service, methods in services.items()
        for method in methods
    }
)


def needed(method: str) -> Permission:
    """Gives what calling a method (/SERVICE/METHOD) takes; of one that is not listed, the most."""
    return NEEDED.get(method, Permission.CONTROL)
