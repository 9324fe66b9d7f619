"""Permissions: every method that is served has its own, chosen on purpose."""

from protos.rpc import HONDO, INFERENCE
from serving.access.permission import NEEDED, OPEN, Permission, needed

# Methods that change the server for all of its clients.
CONTROL = {
    f"/{INFERENCE.full_name}/{method}"
    for method in (
        *("RepositoryModelLoad", "RepositoryModelUnload", "TraceSetting", "LogSettings"),
        *("SystemSharedMemoryStatus", "SystemSharedMemoryRegister", "SystemSharedMemoryUnregister"),
        *("CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister"),
    )
}


def test_unknown_method_takes_the_most() -> None:
    """What nobody thought of is closed to all but those who may do anything."""
    assert needed("/hondo.v1.Hondo/Novelty") is Permission.CONTROL
    assert needed("") is Permission.CONTROL


def test_every_method_was_thought_of() -> None:
    """Each method of the two services is listed as open, for inference or for metrics, or here as control."""
    served = {f"/{service.full_name}/{method.name}" for service in (HONDO, INFERENCE) for method in service.methods}
    assert served <= OPEN | set(NEEDED) | CONTROL
    assert CONTROL.isdisjoint(OPEN | set(NEEDED))
    assert {method for method in served if needed(method) is Permission.CONTROL} <= CONTROL | OPEN


def test_probes_need_no_token() -> None:
    """Open are only the methods that say whether the server is there."""
    assert {method.rpartition("/")[2] for method in OPEN} == {"Check", "Watch", "List", "ServerLive", "ServerReady"}
