"""Regions of POSIX shared memory that a client on this machine lends: tensors are read from them and written to them.

Whoever reaches the port can have the server read and write any shared memory that the server's user may, that of other
programs too. So there are none unless the server was started with --shared-memory.

Memory is read and written through its file, not mapped: what was mapped and is then cut short by its owner would end
the whole process (SIGBUS), and what is read is a copy that nobody changes while it is worked on.
"""

import os
import re
import stat
import sys
from pathlib import Path
from typing import Final

from hondo.errors import AlreadyExists, InvalidRequest, NotSupported, ResourceExhausted, UnknownRegion

# Each keeps a file open, of which a process may have 1,024 as a rule.
_MOST: Final = 256
_FOLDER: Final = Path("/dev/shm")  # noqa: S108  where Linux has POSIX shared memory
_KEY: Final = re.compile(r"/?([^/\0]{1,250})")


class Region:
    """A part of one shared memory, which stays open as long as anybody holds the region."""

    def __init__(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Opens the memory.

        Raises:
            InvalidRequest: there is none of that key, it is smaller, or may not be used.
        """
        self.name = name
        self.key = key
        self.offset = offset
        self.byte_size = byte_size
        self._file: int | None = None
        self._file = _opened(key, offset + byte_size)

    def __del__(self) -> None:
        """Lets the memory go: a request may use it, on a thread of its own, after it was unregistered."""
        if self._file is not None:
            os.close(self._file)

    def read(self, offset: int, byte_size: int) -> bytes:
        """Gives a copy of some bytes.

        Raises:
            InvalidRequest: they are not within the region, or no longer within the memory.
        """
        self._check(offset, byte_size)
        data = bytearray()
        while len(data) < byte_size:  # a system call reads 2 GiB at most
            read = os.pread(self._open, byte_size - len(data), self.offset + offset + len(data))
            if not read:
                raise InvalidRequest(f"shared memory {self.key!r} has become too short for region {self.name!r}")
            if len(read) == byte_size:
                return read
            data += read
        return bytes(data)

    def write(self, offset: int, data: bytes, byte_size: int) -> None:
        """Writes bytes, for which so many are set aside.

        Raises:
            InvalidRequest: they do not fit there, or the memory has become too short.
        """
        self._check(offset, byte_size)
        if len(data) > byte_size:
            raise InvalidRequest(f"{len(data)} bytes are to be written to region {self.name!r}, {byte_size} set aside")
        # What lies beyond its end would make the memory longer.
        if os.fstat(self._open).st_size < self.offset + offset + len(data):
            raise InvalidRequest(f"shared memory {self.key!r} has become too short for region {self.name!r}")
        written = 0
        while written < len(data):
            written += os.pwrite(self._open, memoryview(data)[written:], self.offset + offset + written)

    @property
    def _open(self) -> int:
        assert self._file is not None, "it was opened when it was made"
        return self._file

    def _check(self, offset: int, byte_size: int) -> None:
        if offset < 0 or byte_size < 0 or offset + byte_size > self.byte_size:
            raise InvalidRequest(
                f"{byte_size} bytes from {offset} are not within region {self.name!r}, which has {self.byte_size}"
            )


class Regions:
    """The regions that clients registered, by name; on the event loop alone."""

    def __init__(self, *, allowed: bool) -> None:
        self.allowed = allowed
        self._regions: dict[str, Region] = {}

    def register(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Takes a region in use.

        Raises:
            InvalidRequest: there is no such memory, it is smaller, or may not be used.
            AlreadyExists: there is a region of that name.
            ResourceExhausted: there are too many.
            NotSupported: the server lends its ear to no shared memory.
        """
        self._check_allowed()
        if not name:
            raise InvalidRequest("name: empty, but requests will have to name the region")
        if name in self._regions:
            raise AlreadyExists(f"there is a region {name[:100]!r}: unregister it, or choose another name")
        if len(self._regions) >= _MOST:
            raise ResourceExhausted(f"{_MOST} regions are registered, which is the most: unregister some")
        if not byte_size:
            raise InvalidRequest("byte_size: 0 came, at least 1 expected")
        self._regions[name] = Region(name, key, offset, byte_size)

    def unregister(self, name: str) -> None:
        """Gives a region up, or all where none is named; one that is not there is no error."""
        self._check_allowed()
        if name:
            self._regions.pop(name, None)
        else:
            self._regions.clear()

    def status(self, name: str) -> list[Region]:
        """Gives one region, or all where none is named.

        Raises:
            UnknownRegion: there is none of that name.
        """
        self._check_allowed()
        return [self.find(name)] if name else list(self._regions.values())

    def find(self, name: str) -> Region:
        """Gives a region.

        Raises:
            UnknownRegion: there is none of that name.
        """
        self._check_allowed()
        if name not in self._regions:
            raise UnknownRegion(f"no region {name[:100]!r} of shared memory is registered", name)
        return self._regions[name]

    def _check_allowed(self) -> None:
        if not self.allowed:
            raise NotSupported("this server uses no shared memory: it was not started with --shared-memory")


def _opened(key: str, least_bytes: int) -> int:
    """Opens a shared memory; gives the file's number."""
    if sys.platform != "linux":
        raise NotSupported("shared memory is used on Linux only")
    # No way out of the folder: neither by the name, nor by a link in it.
    matched = _KEY.fullmatch(key)
    if matched is None or matched[1] in {".", ".."}:
        raise InvalidRequest(f"key: {key[:100]!r} came, '/NAME' with no other '/' expected")
    try:
        file = os.open(_FOLDER / matched[1], os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidRequest(f"key: shared memory {key!r} cannot be opened: {error.strerror}") from error
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_size < least_bytes:
        os.close(file)
        raise InvalidRequest(f"key: shared memory {key!r} has {found.st_size} bytes, {least_bytes} expected")
    return file
