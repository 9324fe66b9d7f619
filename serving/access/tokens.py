"""Tokens: a file of who may ask what, which holds no secret, only the hashes by which tokens are known again.

A line is NAME PERMISSION[,PERMISSION] SHA256; empty lines and those that begin with # say nothing. Tokens are random
(`hondo token` makes them), so one round of SHA-256 without salt is enough: there is nothing to guess.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hondo.errors import InvalidRequest
from serving.access.permission import Permission

_log = logging.getLogger(__name__)

_PREFIX: Final = "hondo_"
_BYTES: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PERMISSIONS: Final = ", ".join(Permission)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token allows."""

    name: str
    permissions: frozenset[Permission]
    digest: bytes = field(repr=False)

    @property
    def line(self) -> str:
        """Its line in the file."""
        return f"{self.name} {','.join(sorted(self.permissions))} {self.digest.hex()}"


class Tokens:
    """The grants of one file."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._grants = tuple(grants)

    @classmethod
    def read(cls, path: Path) -> "Tokens":
        """Reads a file.

        Raises:
            InvalidRequest: it cannot be read, has no token, or a line is wrong; the text repeats nothing of the line.
        """
        lines = _text(path).splitlines()
        stated = [(number, line.split()) for number, line in enumerate(lines, 1) if _says(line)]
        grants = [_grant(words, f"{path}:{number}") for number, words in stated]
        if not grants:
            raise InvalidRequest(f"{path} has no token: `hondo token NAME --into {path}` makes one")
        names = [grant.name for grant in grants]
        if len(set(names)) < len(names):
            raise InvalidRequest(f"{path} has two tokens of one name: give each its own")
        return cls(grants)

    def find(self, token: str) -> Grant | None:
        """Gives what a token allows; None where it is none of these. Takes as long for either."""
        digest, found = _digest(token), None
        for grant in self._grants:
            if hmac.compare_digest(grant.digest, digest):
                found = grant
        return found

    def __contains__(self, name: str) -> bool:
        return any(grant.name == name for grant in self._grants)


def make(name: str, permissions: Iterable[Permission]) -> tuple[str, Grant]:
    """Makes a token; gives it with what the file is to say of it.

    Raises:
        InvalidRequest: the name is none.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{name!r} is no name for a token: up to 63 letters, digits, dots, dashes, underscores")
    token = _PREFIX + secrets.token_urlsafe(_BYTES)
    return token, Grant(name, frozenset(permissions), _digest(token))


def add(path: Path, grant: Grant) -> None:
    """Adds a grant to a file, which is made where there is none, for its owner alone to read.

    Raises:
        InvalidRequest: the file is none of tokens, or has one of that name.
    """
    before = _text(path) if path.exists() else ""
    if any(_says(line) for line in before.splitlines()) and grant.name in Tokens.read(path):
        raise InvalidRequest(f"{path} has a token of the name {grant.name!r}: remove its line, or take another name")
    # Written whole and renamed: a server that reads it meanwhile sees the one or the other.
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(before + ("\n" if before and not before.endswith("\n") else "") + grant.line + "\n")
    if path.exists():
        _give(fresh, path.stat())
    fresh.replace(path)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise InvalidRequest(f"the file of tokens {path} cannot be read: {reason}") from error


def _give(file: Path, former: os.stat_result) -> None:
    """Gives a file to those who had its predecessor: the server may be another user."""
    if (file.stat().st_uid, file.stat().st_gid) != (former.st_uid, former.st_gid):
        try:
            os.chown(file, former.st_uid, former.st_gid)
        except PermissionError:
            _log.warning("%s now belongs to whoever ran this: see that the server can read it", file)
    file.chmod(former.st_mode & 0o777)


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _grant(words: list[str], place: str) -> Grant:
    if len(words) != 3 or not _NAME.fullmatch(words[0]) or not _SHA256.fullmatch(words[2]):
        raise InvalidRequest(f"{place}: expected NAME PERMISSION[,PERMISSION] SHA256")
    permissions = words[1].split(",")
    if not set(permissions) <= set(Permission):
        raise InvalidRequest(f"{place}: the permissions are {_PERMISSIONS}")
    return Grant(words[0], frozenset(map(Permission, permissions)), bytes.fromhex(words[2]))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
