"""Files of tokens."""

import tempfile
from pathlib import Path
from typing import Final

from serving.access import tokens
from serving.access.permission import Permission
from serving.access.tokens import Tokens

_FILE: Final = Path(tempfile.mkdtemp(prefix="hondo-fuzz-")) / "tokens"


def seeds() -> list[bytes]:
    """Gives files of one and of two tokens, with words about them."""
    lines = [tokens.make(f"name-{number}", list(Permission)[: number + 1])[1].line for number in range(2)]
    return [each.encode() for each in (lines[0], "\n".join(lines), "\n".join(["# of ours", "", *lines, ""]))]


def one(data: bytes) -> None:
    """Reads one, looks tokens up in it, and adds another."""
    _FILE.write_bytes(data)
    try:
        known = Tokens.read(_FILE)
        assert known.find(data[:99].decode("latin-1")) is None, "nobody guesses a token"
    finally:
        tokens.add(_FILE, tokens.make("new", [Permission.INFERENCE])[1])
        assert "new" in Tokens.read(_FILE)
