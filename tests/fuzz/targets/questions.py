"""Questions: requests of `hondo.v1`, from the message to the answer, through the service itself."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError

from hondo.images import Limits
from protos.rpc import HONDO, python_name, request_types
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from serving.tasks.bounds import Bounds
from serving.tasks.people import HondoService
from serving.telemetry.metrics import Metrics
from tests.fuzz import seeds as good
from tests.fuzz.asker import HANGS_S
from tests.serving import artifacts, captioners, edges, tables, words, writers

_ASKED: Final = {name: kind for name, kind in request_types(HONDO).items() if name != "ClassifyStream"}
_LOOP: Final = asyncio.new_event_loop()
_LIMITS: Final = Limits(max_bytes=60_000, max_pixels=100_000, max_side_px=4096)


def _served() -> HondoService:
    """Gives the service of one model of each task."""
    models = Path(tempfile.mkdtemp(prefix="hondo-fuzz-"))
    artifacts.write_classifier(models)
    for write in (words.write_classifier, tables.write_classifier, edges.write_detector):
        write(models)
    for write in (writers.write_writer, captioners.write_captioner):
        write(models)
    catalog, metrics = Catalog.load(models, Device.CPU), Metrics(counts=False)
    for model in catalog:
        model.open(metrics)
    bounds = Bounds(images=_LIMITS, run_bytes=2**26, message_bytes=2**22, queue_rows=512, parts=1)
    return HondoService(catalog, ThreadPoolExecutor(2), bounds)


async def _made() -> HondoService:
    return _served()


_SERVICE: Final = _LOOP.run_until_complete(_made())


def seeds() -> list[bytes]:
    """Gives good requests, each after a byte that says of which method."""
    every = good.good()
    return [
        bytes([number]) + request.SerializeToString()
        for number, kind in enumerate(_ASKED.values())
        for request in every.get(kind.DESCRIPTOR.full_name, [kind()])
    ]


def one(data: bytes) -> None:
    """Asks one; of a stream of answers, the first few are read."""
    name = list(_ASKED)[(data[0] if data else 0) % len(_ASKED)]
    try:
        request = _ASKED[name].FromString(data[1:])
    except DecodeError:
        return
    method = getattr(_SERVICE, python_name(name))
    _LOOP.run_until_complete(asyncio.wait_for(_answered(method(request)), HANGS_S))


async def _answered(answer: Any) -> None:
    if not isinstance(answer, AsyncIterator):
        await answer
        return
    try:
        for _ in range(3):
            if await anext(answer, None) is None:
                return
    finally:
        await answer.aclose()  # type: ignore[attr-defined]
