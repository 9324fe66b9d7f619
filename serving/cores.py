"""Cores."""

import os


def available() -> int:
    """Gives how many cores this process may use."""
    return len(os.sched_getaffinity(0))
