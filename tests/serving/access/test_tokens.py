"""Tokens: what the file holds, and what it is refused for."""

import hashlib
import os
from pathlib import Path

import pytest

from hondo.errors import InvalidRequest
from serving.access import tokens
from serving.access.permission import Permission
from serving.access.tokens import Tokens

HASH = hashlib.sha256(b"secret").hexdigest()


def test_token_is_known_by_its_hash(tmp_path: Path) -> None:
    """A token that was made and added is found again with its name and permissions, and the file does not hold it."""
    file = tmp_path / "tokens"
    made = {}
    for name, may in (("ann", [Permission.INFERENCE]), ("bob", [Permission.METRICS, Permission.CONTROL])):
        made[name], grant = tokens.make(name, may)
        tokens.add(file, grant)
    read = Tokens.read(file)
    found = read.find(made["bob"])
    assert found is not None
    assert found.name == "bob"
    assert set(found.permissions) == {Permission.METRICS, Permission.CONTROL}
    assert read.find(made["ann"] + "x") is None
    assert read.find("") is None
    assert not any(token in file.read_text() for token in made.values())
    assert file.stat().st_mode & 0o777 == 0o600
    assert "digest" not in repr(found)


def test_tokens_are_not_guessable() -> None:
    """No two tokens are alike, and each has 256 bits of chance."""
    made = {tokens.make("ann", [Permission.INFERENCE])[0] for _ in range(100)}
    assert len(made) == 100
    assert all(len(token) >= len("hondo_") + 43 for token in made)


def test_adding_keeps_the_rest(tmp_path: Path) -> None:
    """A new token leaves comments, other lines and the file's mode as they are; a name that is taken is refused."""
    file = tmp_path / "tokens"
    file.write_text(f"# ours\nann inference {HASH}")
    file.chmod(0o640)
    _, grant = tokens.make("bob", [Permission.CONTROL])
    tokens.add(file, grant)
    assert file.read_text() == f"# ours\nann inference {HASH}\n{grant.line}\n"
    assert file.stat().st_mode & 0o777 == 0o640
    with pytest.raises(InvalidRequest, match="'bob'"):
        tokens.add(file, grant)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_adding_keeps_the_owner(tmp_path: Path) -> None:
    """A file that the server's user owns, or its group, is still theirs when root has added a token."""
    file = tmp_path / "tokens"
    file.write_text(f"ann inference {HASH}")
    os.chown(file, 10001, 10002)
    _, grant = tokens.make("bob", [Permission.CONTROL])
    tokens.add(file, grant)
    assert (file.stat().st_uid, file.stat().st_gid) == (10001, 10002)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nobody",
        "ann inference",
        f"ann inference {HASH} more",
        f"ann everything {HASH}",
        f"ann inference {HASH[:-1]}",
        f"ann inference {HASH.upper()}",
        f"-ann inference {HASH}",
        f"ann inference {HASH}\nann metrics {HASH}",
        "ann inference the-token-itself-by-mistake",
        "änn inference secret",
    ],
)
def test_wrong_file_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is not all tokens is refused as a whole, in words that repeat nothing which could be a secret."""
    file = tmp_path / "tokens"
    file.write_text(text, "utf-8")
    with pytest.raises(InvalidRequest) as refused:
        Tokens.read(file)
    assert str(file) in str(refused.value)
    assert HASH not in str(refused.value)
    assert "by-mistake" not in str(refused.value)


@pytest.mark.parametrize("line", ["änn inference secret", "ann inference the-token-itself-by-mistake"])
def test_nothing_is_added_to_a_wrong_file(tmp_path: Path, line: str) -> None:
    """A file that is none of tokens is refused by what adds one, too, and stays as it is."""
    file = tmp_path / "tokens"
    file.write_text(line, "utf-8")
    with pytest.raises(InvalidRequest):
        tokens.add(file, tokens.make("bob", [Permission.CONTROL])[1])
    assert file.read_text("utf-8") == line


@pytest.mark.parametrize("name", ["", "a b", "a" * 64, "#a", "ä"])
def test_name_is_plain(name: str) -> None:
    """A token's name is one plain word."""
    with pytest.raises(InvalidRequest):
        tokens.make(name, [Permission.INFERENCE])
