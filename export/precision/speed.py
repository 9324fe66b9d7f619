"""How fast a graph is beside another, on the machine at hand."""

import platform
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from serving.runtime.cores import available
from serving.runtime.session import Session
from serving.runtime.sizes import Sizes

_LARGEST_BATCH: Final = 32
_ROUNDS: Final = 9
# What decides how fast 8-bit integers are.
_INSTRUCTIONS: Final = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "asimddp")


def compare(full: Session, lowered: Session, samples: NDArray[Any]) -> tuple[float, int]:
    """Gives the lowered graph's examples a second as a multiple of the full one's, and the batch of that.

    The batch is the lowered graph's best. Both run in turn, so that whatever else the machine does meets both; the
    median of the rounds counts.
    """
    sizes = Sizes.measure(lambda rows: lambda: _seconds(lowered, _rows(samples, rows)), _LARGEST_BATCH)
    batch = _rows(samples, sizes.largest)
    return statistics.median(_ratios(full, lowered, batch)), sizes.largest


def _ratios(full: Session, lowered: Session, batch: NDArray[Any]) -> Iterator[float]:
    for session in (full, lowered):
        _seconds(session, batch)  # the first run at a size plans its memory
    for _ in range(_ROUNDS):
        yield _seconds(full, batch) / _seconds(lowered, batch)


def _seconds(session: Session, batch: NDArray[Any]) -> float:
    started_s = time.perf_counter()
    session.run({session.inputs[0].name: batch})
    return time.perf_counter() - started_s


def _rows(samples: NDArray[Any], rows: int) -> NDArray[Any]:
    return np.resize(samples, (rows, *samples.shape[1:]))


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Gives the machine that this runs on, for example "AMD EPYC, 2 cores, avx512_vnni; onnxruntime 1.31.1".

    Args:
        cpuinfo: where Linux describes the processor.
    """
    told = _told(cpuinfo)
    processor = told.get("model name") or platform.processor() or platform.machine()
    flags = (told.get("flags") or told.get("Features") or "").split()
    best = next((f", {flag}" for flag in _INSTRUCTIONS if flag in flags), "")
    cores = available()
    return f"{processor}, {cores} core{'s' if cores > 1 else ''}{best}; onnxruntime {onnxruntime.__version__}"


def _told(cpuinfo: Path) -> dict[str, str]:
    try:
        lines = cpuinfo.read_text("utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
