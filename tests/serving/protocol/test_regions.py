"""Shared memory that is lent: what may be registered, and what lies within it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from hondo.errors import AlreadyExists, InvalidRequest, NotSupported, ResourceExhausted, UnknownRegion
from serving.protocol import regions
from serving.protocol.regions import Regions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory is used on Linux only")

FOLDER: Final = Path("/dev/shm")  # noqa: S108


@pytest.fixture
def memory() -> Iterator[Path]:
    """A shared memory of the bytes from 0 to 63."""
    path = FOLDER / f"hondo_test_{os.getpid()}"
    path.write_bytes(bytes(range(64)))
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def lent(memory: Path) -> Regions:
    """The regions of a server that takes them, one of them: "it", the 32 bytes from 16 on."""
    lent = Regions(allowed=True)
    lent.register("it", f"/{memory.name}", 16, 32)
    return lent


def test_bytes_are_read_and_written_where_the_region_lies(lent: Regions, memory: Path) -> None:
    """Offsets count from the region's beginning, and no byte beside what is meant is touched."""
    region = lent.find("it")
    assert region.read(2, 4) == bytes([18, 19, 20, 21])
    region.write(30, b"ab", 2)
    assert memory.read_bytes() == bytes(range(46)) + b"ab" + bytes(range(48, 64))


@pytest.mark.parametrize(("offset", "size"), [(-1, 4), (0, 33), (32, 1), (2**62, 2**62), (0, -1), (-(2**63), 1)])
def test_bytes_beyond_the_region_are_refused(lent: Regions, memory: Path, offset: int, size: int) -> None:
    """What is not within the region is neither read nor written, though the memory be larger."""
    with pytest.raises(InvalidRequest, match="not within region 'it'"):
        lent.find("it").read(offset, size)
    with pytest.raises(InvalidRequest, match="not within region 'it'"):
        lent.find("it").write(offset, b"x", size)
    assert memory.read_bytes() == bytes(range(64))


def test_more_than_was_set_aside_is_refused(lent: Regions, memory: Path) -> None:
    """An output that is larger than what was set aside for it is not written."""
    with pytest.raises(InvalidRequest, match="5 bytes are to be written to region 'it', 4 set aside"):
        lent.find("it").write(0, b"abcde", 4)
    assert memory.read_bytes() == bytes(range(64))


def test_memory_cut_short_ends_no_server(lent: Regions, memory: Path) -> None:
    """A memory that its owner cut short after it was registered is refused, and does not grow again."""
    os.truncate(memory, 40)
    region = lent.find("it")
    with pytest.raises(InvalidRequest, match="has become too short"):
        region.read(0, 32)
    with pytest.raises(InvalidRequest, match="has become too short"):
        region.write(30, b"a", 1)
    assert region.read(0, 24) == bytes(range(16, 40))
    assert memory.stat().st_size == 40


@pytest.mark.parametrize(
    "key", ["../etc/passwd", "/../etc/passwd", "/a/b", "..", "/..", ".", "", "/", "a\0b", "//etc/passwd", "x" * 300]
)
def test_keys_that_lead_elsewhere_are_refused(key: str) -> None:
    """A key is one name: none leads out of the folder of shared memory."""
    with pytest.raises(InvalidRequest, match=r"key: .* expected"):
        Regions(allowed=True).register("it", key, 0, 1)


def test_links_and_folders_are_refused(memory: Path, tmp_path: Path) -> None:
    """Nothing but shared memory is opened: no link, wherever it leads, no folder, no pipe."""
    (tmp_path / "secret").write_text("secret")
    link, pipe = memory.with_suffix(".link"), memory.with_suffix(".pipe")
    link.symlink_to(tmp_path / "secret")
    os.mkfifo(pipe)
    memory.unlink()
    memory.mkdir()
    try:
        for path in (link, pipe, memory):
            with pytest.raises(InvalidRequest, match=r"cannot be opened|has \d+ bytes"):
                Regions(allowed=True).register("it", path.name, 0, 1)
    finally:
        link.unlink()
        pipe.unlink()
        memory.rmdir()


@pytest.mark.parametrize(("offset", "size"), [(0, 65), (64, 1), (1, 2**63), (2**64 - 1, 1)])
def test_regions_beyond_the_memory_are_refused(memory: Path, offset: int, size: int) -> None:
    """A region is no larger than its memory."""
    with pytest.raises(InvalidRequest, match="has 64 bytes"):
        Regions(allowed=True).register("it", memory.name, offset, size)


def test_names_are_taken_once(lent: Regions, memory: Path) -> None:
    """A name that is taken is refused, until its region was given up; giving up twice is no error."""
    with pytest.raises(AlreadyExists, match="'it'"):
        lent.register("it", memory.name, 0, 1)
    lent.unregister("it")
    lent.unregister("it")
    with pytest.raises(UnknownRegion, match="'it'"):
        lent.find("it")
    lent.register("it", memory.name, 0, 1)
    assert [region.name for region in lent.status("")] == ["it"]
    lent.unregister("")
    assert lent.status("") == []


def test_region_in_use_outlives_its_name(lent: Regions, memory: Path) -> None:
    """A request that has a region goes on with it when it is given up, and when its owner removes it."""
    region = lent.find("it")
    lent.unregister("it")
    memory.unlink()
    assert region.read(0, 1) == bytes([16])


def test_files_are_closed(memory: Path) -> None:
    """A region that was given up keeps no file open; neither does one that was refused."""
    before = sorted(Path("/proc/self/fd").iterdir())
    lent = Regions(allowed=True)
    for number in range(20):
        lent.register(str(number), memory.name, 0, 1)
        with pytest.raises(InvalidRequest):
            lent.register("too large", memory.name, 0, 100)
    lent.unregister("")
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_there_are_not_too_many(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many regions are refused as would use up the files that a process may open."""
    monkeypatch.setattr(regions, "_MOST", 2)
    lent = Regions(allowed=True)
    lent.register("a", memory.name, 0, 1)
    lent.register("b", memory.name, 0, 1)
    with pytest.raises(ResourceExhausted, match="2 regions"):
        lent.register("c", memory.name, 0, 1)


@pytest.mark.parametrize("name", ["", "it"])
def test_nothing_is_lent_unless_allowed(memory: Path, name: str) -> None:
    """A server that was not told to use shared memory opens none and tells of none."""
    lent = Regions(allowed=False)
    with pytest.raises(NotSupported, match="--shared-memory"):
        lent.register("it", memory.name, 0, 1)
    with pytest.raises(NotSupported, match="--shared-memory"):
        lent.status(name)
    with pytest.raises(NotSupported, match="--shared-memory"):
        lent.unregister(name)
    with pytest.raises(NotSupported, match="--shared-memory"):
        lent.find("it")
