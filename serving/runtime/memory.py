"""Memory that a server keeps once it has it: to get it anew costs more than to read the request that needs it."""

import ctypes
import gc
import sys
from typing import Final

# Of mallopt(3), from glibc's malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
# The largest that glibc takes.
_OWN_MAPPING_BYTES: Final = 32 * 2**20
_KEPT_BYTES: Final = 256 * 2**20


def give_back() -> None:
    """Gives what is free to the system, so that what a model had is not kept for nobody."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in musl
        if trim is not None:
            trim(0)


def settle() -> None:
    """Makes the memory of this process cheap to use for as long as it serves; to be called once all is loaded.

    What was loaded is never searched for garbage again: that would keep the event loop for some 25 ms each time. And
    what requests free stays with the process, up to a bound: glibc would give a request's 600 KB back to the system and
    get them again, page by page, with the next one, at ten times the cost of copying them.
    """
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not in musl
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _OWN_MAPPING_BYTES)
            mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
