"""What a server does with memory while it serves."""

import platform
import subprocess
import sys
from typing import Final

import pytest

# Makes and drops a copy of 600 KB a hundred times; prints how many pages the system had to give for each.
_COPY: Final = """
import gc, resource
from serving.runtime import memory
if {settled}:
    memory.settle()
copy = lambda: bytes(bytearray(600_000))
copy()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    copy()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 100, gc.get_freeze_count())
"""


def pages_and_frozen(*, settled: bool) -> tuple[float, int]:
    """Gives the pages a copy, and how many objects the search for garbage leaves out."""
    command = [sys.executable, "-c", _COPY.format(settled=settled)]
    pages, frozen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(pages), int(frozen)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to keep")
def test_memory_of_requests_is_kept() -> None:
    """A server does not fetch memory from the system page by page for each request, as it would if it said nothing."""
    assert pages_and_frozen(settled=False)[0] > 100
    assert pages_and_frozen(settled=True)[0] < 5


def test_what_was_loaded_is_not_searched_for_garbage() -> None:
    """Modules and models are there for good."""
    assert pages_and_frozen(settled=False)[1] == 0
    assert pages_and_frozen(settled=True)[1] > 1000
