"""The machine and the software that figures were measured on."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import onnxruntime

from serving.runtime.cores import available

_CPU_INFO: Final = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures depend on beside the code."""

    # Cores that this process may use.
    cores: int
    cpu: str
    system: str
    # Processes that wanted a core in the last minute, before the bench began: not near 0, the figures are noisy.
    load_average: float
    versions: dict[str, str]


def describe() -> Machine:
    """Gives what this machine is."""
    versions = {
        "hondo": version("hondo"),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "grpcio": grpc.__version__,
        "numpy": np.__version__,
    }
    return Machine(available(), _cpu(), platform.platform(), os.getloadavg()[0], versions)


def _cpu() -> str:
    lines = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
