"""Shared memory that is lent: keys, offsets and sizes, and what requests say of them."""

from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from protos.inference_pb2 import ModelInferRequest
from protos.triton_pb2 import SystemSharedMemoryRegisterRequest
from serving.protocol.lent import Lent
from serving.protocol.regions import Regions
from tests.fuzz.seeds import MEMORY, MEMORY_BYTES, REGION, good

_MEMORY: Final = Path("/dev/shm") / MEMORY  # noqa: S108


def seeds() -> list[bytes]:
    """Gives a region's registration and a request that uses it, with a byte between that says how long the first is."""
    _MEMORY.write_bytes(bytes(MEMORY_BYTES))
    every = good()
    register = [each.SerializeToString() for each in every["inference.SystemSharedMemoryRegisterRequest"]]
    lent = [each.SerializeToString() for each in every["inference.ModelInferRequest"] if REGION in str(each)]
    return [bytes([len(first)]) + first + second for first in register for second in lent]


def one(data: bytes) -> None:
    """Registers one, then reads and writes where a request says; no byte beside the region is touched."""
    try:
        asked = SystemSharedMemoryRegisterRequest.FromString(data[1 : 1 + data[0]] if data else b"")
        request = ModelInferRequest.FromString(data[1 + data[0] :] if data else b"")
    except DecodeError:
        return
    if asked.key.strip("/") != MEMORY and (Path("/dev/shm") / asked.key.strip("/")).exists():  # noqa: S108
        return  # somebody else's
    regions = Regions(allowed=True)
    try:
        _use(regions, asked, request)
    finally:
        regions.unregister("")
        assert _MEMORY.stat().st_size == MEMORY_BYTES, "the memory became longer"


def _use(regions: Regions, asked: SystemSharedMemoryRegisterRequest, request: ModelInferRequest) -> None:
    regions.register(asked.name, asked.key, asked.offset, asked.byte_size)
    lent = Lent(request, regions)
    for span in lent.inputs.values():
        assert len(span.read()) == span.byte_size
    for span in lent.outputs.values():
        span.write(b"x")
