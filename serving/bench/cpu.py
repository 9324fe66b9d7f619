"""Processor time of processes and of the processes that they started, as Linux counts it."""

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from serving.bench.load import Window

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"  # TCP_LISTEN in net/tcp_states.h


def listeners(port: int) -> frozenset[int]:
    """Gives the ids of the processes of this machine that listen on a TCP port, as far as we may see them."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return frozenset()
    return frozenset(process for process in _processes() if sockets & set(_open_files(process)))


def spent_s(window: Window, groups: Sequence[Iterable[int]]) -> list[float | None]:
    """Waits until the window has passed; gives the processor time that each group of processes used in it.

    Children count, and what ended children had used; None for a group that is empty or cannot be seen.
    """
    _sleep_until(window.start_s)
    before = [used_s(group) for group in groups]
    _sleep_until(window.end_s)
    after = [used_s(group) for group in groups]
    return [None if first is None or last is None else last - first for first, last in zip(before, after, strict=True)]


def _sleep_until(when_s: float) -> None:
    time.sleep(max(0.0, when_s - time.monotonic()))


def used_s(roots: Iterable[int]) -> float | None:
    """Gives the processor time, user and system, that a family of processes has used so far."""
    stats = _stats()
    family = {root for root in roots if root in stats}
    if not family:
        return None
    while grown := {process for process, (parent, _) in stats.items() if parent in family} - family:
        family |= grown
    return sum(stats[process][1] for process in family)


def _stats() -> dict[int, tuple[int, float]]:
    """Gives each process's parent and processor time in seconds, its ended children's with it."""
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    stats = {}
    for process in _processes():
        try:
            text = (_PROC / str(process) / "stat").read_text()
        except OSError:
            continue  # it ended
        # The second field is the command in parentheses, whatever characters it has: see proc(5) for the others.
        fields = text.rpartition(")")[2].split()
        stats[process] = int(fields[1]), sum(map(int, fields[11:15])) / ticks_per_s
    return stats


def _processes() -> list[int]:
    return [int(path.name) for path in _PROC.iterdir() if path.name.isdecimal()] if _PROC.is_dir() else []


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (_PROC / "net" / "tcp", _PROC / "net" / "tcp6"):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def _open_files(process: int) -> list[str]:
    try:
        links = list((_PROC / str(process) / "fd").iterdir())
    except OSError:
        return []  # it ended, or is somebody else's
    files = []
    for link in links:
        with suppress(OSError):  # it was closed
            files.append(str(link.readlink()))
    return files
