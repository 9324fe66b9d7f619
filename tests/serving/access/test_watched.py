"""Watched files: changes are taken up, unless they cannot be read."""

import logging
from pathlib import Path

import pytest

from hondo.errors import InvalidRequest
from serving.access import watched
from serving.access.watched import Watched


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every question look at the files."""
    monkeypatch.setattr(watched, "_EVERY_S", 0.0)


def number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path} holds no number") from error


def test_change_is_taken_up(tmp_path: Path) -> None:
    """What is written over, or put in the file's place, is read; without a change, nothing is."""
    path, reads = tmp_path / "number", []
    path.write_text("1")
    seen = Watched([path], lambda: reads.append(1) or number(path))  # type: ignore[func-returns-value]
    assert [seen.value, seen.value] == [1, 1]
    assert len(reads) == 1
    path.write_text("22")
    assert seen.value == 22
    other = tmp_path / "other"
    other.write_text("33")
    other.replace(path)
    assert seen.value == 33
    assert len(reads) == 3


def test_link_that_is_turned_is_taken_up(tmp_path: Path) -> None:
    """A link to another file, as Kubernetes changes its secrets, is a change."""
    for name in ("1", "2"):
        (tmp_path / name).write_text(name)
    link, fresh = tmp_path / "link", tmp_path / "fresh"
    link.symlink_to("1")
    seen = Watched([link], lambda: number(link))
    assert seen.value == 1
    fresh.symlink_to("2")
    fresh.replace(link)
    assert seen.value == 2


def test_broken_change_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While a file cannot be read, what was read before stays; the log says so once; the repaired file is read."""
    path = tmp_path / "number"
    path.write_text("1")
    seen = Watched([path], lambda: number(path))
    path.write_text("one")
    with caplog.at_level(logging.ERROR):
        assert [seen.value for _ in range(5)] == [1] * 5
    assert len(caplog.records) == 1
    path.unlink()
    assert seen.value == 1
    path.write_text("2")
    assert seen.value == 2


def test_first_read_must_succeed(tmp_path: Path) -> None:
    """A server does not start with files that it cannot read."""
    with pytest.raises(InvalidRequest):
        Watched([tmp_path / "nothing"], lambda: number(tmp_path / "nothing"))
