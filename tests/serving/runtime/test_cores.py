"""The cores that a process may use, read from trees of files that stand for a machine's /proc and cgroups."""

import os
import sys
from pathlib import Path
from typing import Final

import pytest

from serving.runtime.cores import available

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has cgroups")

V2: Final = "30 23 0:26 {mounted} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1: Final = "33 32 0:29 {mounted} /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:16 - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY: Final = "34 32 0:30 / /sys/fs/cgroup/memory rw,nosuid shared:17 - cgroup cgroup rw,memory"


@pytest.fixture(autouse=True)
def affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores by affinity, whatever the machine that runs the tests has."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))


def machine(root: Path, cgroup: str, mounts: list[str], files: dict[str, str]) -> Path:
    """Writes /proc/self/cgroup, /proc/self/mountinfo and files below /sys/fs/cgroup; gives what stands for `/`."""
    mountinfo = "\n".join(["22 1 8:1 / / rw - ext4 /dev/sda1 rw", *mounts])
    written = {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo}
    written |= {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000\n", 8),
        ("300000 100000\n", 3),
        ("250000 100000\n", 2),
        ("199999 100000\n", 1),
        ("20000 100000\n", 1),
        ("100000 50000\n", 2),
        ("6400000 100000\n", 8),
    ],
)
def test_v2_quota_counts_in_whole_cores(tmp_path: Path, quota: str, cores: int) -> None:
    """A quota bounds the cores: rounded down, never below one, never above the affinity."""
    root = machine(tmp_path, "0::/\n", [V2.format(mounted="/")], {"cpu.max": quota})
    assert available(root) == cores


def test_v2_parents_bound_their_children(tmp_path: Path) -> None:
    """The smallest quota on the way from the process's own cgroup up to the mount's root counts."""
    quotas = {
        "kube/cpu.max": "800000 100000",
        "kube/pod/cpu.max": "300000 100000",
        "kube/pod/app/cpu.max": "max 100000",
        "kube/other/cpu.max": "100000 100000",
    }
    root = machine(tmp_path, "0::/kube/pod/app\n", [V2.format(mounted="/")], quotas)
    assert available(root) == 3


@pytest.mark.parametrize(
    ("quota_us", "cores"), [("-1", 8), ("400000", 4), ("350000", 3), ("1000", 1)], ids=["none", "4", "3.5", "0.01"]
)
def test_v1_quota_counts_in_whole_cores(tmp_path: Path, quota_us: str, cores: int) -> None:
    """Version 1 keeps quota and period in two files, below the mount of its cpu controller."""
    files = {"cpu,cpuacct/job/cpu.cfs_quota_us": f"{quota_us}\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"}
    cgroup = "5:memory:/other\n4:cpu,cpuacct:/job\n1:name=systemd:/x\n0::/y\n"
    assert available(machine(tmp_path, cgroup, [V1_MEMORY, V1.format(mounted="/")], files)) == cores


def test_container_without_a_cgroup_namespace(tmp_path: Path) -> None:
    """A container that knows its cgroup by the host's path finds it at the root of what is mounted in the container."""
    files = {"cpu,cpuacct/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}
    root = machine(tmp_path, "4:cpu,cpuacct:/docker/abc\n", [V1.format(mounted="/docker/abc")], files)
    assert available(root) == 2


def test_container_that_knows_another_path(tmp_path: Path) -> None:
    """Where path and mount do not fit together, the mount's root is the best that there is."""
    root = machine(tmp_path, "0::/\n", [V2.format(mounted="/docker/abc")], {"cpu.max": "200000 100000"})
    assert available(root) == 2


def test_affinity_counts_where_there_are_no_cgroups(tmp_path: Path) -> None:
    """A machine without cgroups, even without /proc, leaves the affinity."""
    assert available(tmp_path) == 8


def test_affinity_below_the_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned to fewer cores than its quota has, a process uses those."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5})
    root = machine(tmp_path, "0::/\n", [V2.format(mounted="/")], {"cpu.max": "400000 100000"})
    assert available(root) == 2


def test_elsewhere_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems without affinity and quotas give all of their cores."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert available() == 10
