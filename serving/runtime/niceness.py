"""Niceness: which threads go first on a busy core."""

import os
import sys
import threading
from typing import Final

# Of the threads that compute; 0 is the event loop's.
_NICENESS: Final = 5


def give_way() -> None:
    """Lets the event loop go before this thread on a busy core, so that answers and refusals are prompt under load."""
    if sys.platform == "linux":  # where threads, not only processes, have a niceness
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
