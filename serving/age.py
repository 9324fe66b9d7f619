"""The age of this process, imports included: what its user waited for."""

import os
import sys
import time
from pathlib import Path
from typing import Final

_IMPORTED_S: Final = time.monotonic()


def process_age_s() -> float:
    """Gives the seconds since this process began; where the system does not tell (not Linux), since this import."""
    if sys.platform != "linux":
        return time.monotonic() - _IMPORTED_S
    # The second field is the command in parentheses, whatever characters it has: see proc_pid_stat(5) for the others.
    fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
