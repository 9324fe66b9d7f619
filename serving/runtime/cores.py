"""How many cores this process may use: what bounds its threads, in a container too."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CPU: Final = "cpu"  # the name of cgroup v1's controller


def available(root: Path = Path("/")) -> int:
    """Gives how many cores this process may use.

    That is the smaller of its affinity and its CPU quota. A quota of 2.5 cores gives 2: a thread for the half would
    use the quota up before the period ends, and then every thread stands still until the next. At least 1; where the
    system has no such limits (macOS, Windows), all cores.

    Args:
        root: what stands for `/`, where /proc and the cgroups are read.
    """
    if sys.platform != "linux":
        return os.cpu_count() or 1
    within_quotas = (quota_us // period_us for quota_us, period_us in _quotas(root))
    return max(1, min([len(os.sched_getaffinity(0)), *within_quotas]))


def _quotas(root: Path) -> Iterator[tuple[int, int]]:
    """Goes through the quotas (µs of CPU time, in a period of so many µs) of this process's cgroups and their parents.

    The one of a parent bounds all of its children together, so the smallest counts.
    """
    for group in _groups(root):
        quota = _quota(group)
        if quota is not None:
            yield quota


def _quota(group: Path) -> tuple[int, int] | None:
    """Gives a cgroup's quota; None where it has none: `max` in v2, -1 in v1, or no such file."""
    try:
        if (group / "cpu.max").exists():
            quota_us, period_us = (group / "cpu.max").read_text("ascii").split()
        else:
            quota_us = (group / "cpu.cfs_quota_us").read_text("ascii").strip()
            period_us = (group / "cpu.cfs_period_us").read_text("ascii").strip()
    except OSError:
        return None
    return (int(quota_us), int(period_us)) if quota_us.isdecimal() else None


def _groups(root: Path) -> Iterator[Path]:
    """Goes through the folders of this process's cgroups that may hold a CPU quota, each before its parent."""
    paths = _paths(root / "proc/self/cgroup")
    for controller, mounted, mount_point in _mounts(root / "proc/self/mountinfo"):
        path = paths.get(controller, Path("/"))
        top = root / mount_point.relative_to("/")
        # A container sees its own cgroup as the mount's root, and may know its path from the host's root or from there.
        below = path.relative_to(mounted) if path.is_relative_to(mounted) else Path()
        yield from (top / part for part in (below, *below.parents))


def _paths(cgroup: Path) -> dict[str, Path]:
    """Gives this process's path in each hierarchy, by controller; v2's only hierarchy has the name ""."""
    paths = {}
    for line in _lines(cgroup):
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), Path(path)))
    return paths


def _mounts(mountinfo: Path) -> Iterator[tuple[str, Path, Path]]:
    """Goes through the mounted hierarchies with CPU quotas: controller, path that is mounted, where it is mounted.

    The fields are described in proc_pid_mountinfo(5).
    """
    for line in _lines(mountinfo):
        fields, _, (kind, *_, options) = (part.split() for part in line.partition(" - "))
        mounted, mount_point = Path(fields[3]), Path(fields[4])
        if kind == "cgroup2":
            yield "", mounted, mount_point
        elif kind == "cgroup" and _CPU in options.split(","):
            yield _CPU, mounted, mount_point


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []
