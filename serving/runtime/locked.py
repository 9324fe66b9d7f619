"""Arrays in page-locked memory, which a GPU reads and writes by itself; ordinary memory where there is no GPU."""

import ctypes
import logging
import math
import mmap
import os
import weakref
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from serving.runtime.device import Device

_log = logging.getLogger(__name__)

# CUDA's runtime by the names that the CUDA provider has loaded it under; where it has not, nor is it loaded for this.
_RUNTIMES: Final = ("libcudart.so.13", "libcudart.so.12", "cudart64_13.dll", "cudart64_12.dll")
# cudaHostRegisterPortable: locked for all GPUs.
_FOR_ALL: Final = 1


def array(shape: tuple[int, ...], dtype: DTypeLike, device: Device) -> NDArray[np.generic]:
    """Makes an array of zeros on pages of its own, locked where a GPU is to use it.

    Where they cannot be locked, that is logged, and the array is as good, but slower to copy.
    """
    kind = np.dtype(dtype)
    count = math.prod(shape)
    pages = mmap.mmap(-1, max(1, count * kind.itemsize))
    made: NDArray[np.generic] = np.frombuffer(pages, kind, count).reshape(shape)
    if device.is_cuda and count:
        _lock(pages, ctypes.c_void_p(made.ctypes.data), device.number)
    return made


def _lock(pages: mmap.mmap, place: ctypes.c_void_p, number: int) -> None:
    runtime = _runtime()
    if runtime is None:
        return
    size = ctypes.c_size_t(len(pages))
    failed = runtime.cudaSetDevice(number) or runtime.cudaHostRegister(place, size, _FOR_ALL)
    if failed:
        _log.warning("%d bytes are not page-locked: CUDA's error %d", len(pages), failed)
    else:
        weakref.finalize(pages, runtime.cudaHostUnregister, place).atexit = False


@cache
def _runtime() -> ctypes.CDLL | None:
    for name in _RUNTIMES:
        try:
            return ctypes.CDLL(name, mode=getattr(os, "RTLD_NOLOAD", 0) | ctypes.DEFAULT_MODE)
        except OSError:
            continue
    _log.warning("no page-locked memory: CUDA's runtime (%s) is not loaded", ", ".join(_RUNTIMES))
    return None
