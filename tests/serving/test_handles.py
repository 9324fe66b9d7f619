"""File handles: how many the process has, and how many of them connections may take."""

import resource
import sys

import pytest

from serving import handles

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limit is read where the server runs: Linux")


@pytest.mark.parametrize(
    ("limit", "connections"), [(20_000, 20_000 - 256), (1024, 768), (400, 200), (2, 1), (resource.RLIM_INFINITY, None)]
)
def test_some_handles_are_kept(limit: int, connections: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 of them, or half where there are few; without a limit all may come."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert handles.most_connections() == connections


def test_limit_is_raised_to_what_is_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process takes what it may have, not what it begins with."""
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: taken.append(limits))
    handles.raise_limit()
    assert taken == [(4096, 4096)]
