"""Footprint: the memory that a run of an edge detector takes for each pixel, found by one run at load."""

import os
import sys
from pathlib import Path
from typing import Final

import numpy as np

from hondo.errors import InvalidArtifact
from serving.runtime import memory
from serving.runtime.device import Device
from serving.runtime.session import Session

# Large enough that what a run takes besides does not count; a multiple of any step.
_SIDE_PX: Final = 256
# Where the system does not tell (not Linux): that of HED on VGG-16, the largest known.
_UNKNOWN: Final = 2048


def bytes_per_pixel(path: Path) -> int:
    """Gives how much more memory the process has after the first run of a graph than before, for each pixel.

    Tensors that a run needs stay with its session for the next run. A GPU's run is taken to need as much.

    Raises:
        InvalidArtifact: the graph does not run on a picture of that size.
    """
    session = Session.open(path, Device.CPU, 1)
    signature = session.inputs[0]
    random = np.random.default_rng(0)
    image_NHWC = random.integers(0, 256, (1, _SIDE_PX, _SIDE_PX, signature.wire_shape[3]), np.uint8)
    before = _resident_bytes()
    try:
        outputs = session.run({signature.name: image_NHWC})
    except Exception as error:
        raise InvalidArtifact(f"{path} does not run on {_SIDE_PX} x {_SIDE_PX} pixels: {error}") from error
    least = image_NHWC.nbytes + sum(array.nbytes for array in outputs.values())
    taken = _UNKNOWN * _SIDE_PX**2 if before is None else (_resident_bytes() or 0) - before
    return -(-max(taken, least) // _SIDE_PX**2)


def _resident_bytes() -> int | None:
    """Gives the memory that this process has, once what it has freed is given back; None where that is not told."""
    if sys.platform != "linux":
        return None
    memory.give_back()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
