"""Attempts: work that may take too long, and is then given up."""

from concurrent.futures import TimeoutError as Timeout
from pathlib import Path

import numpy as np
import pytest

from hondo.errors import InvalidArtifact
from serving.runtime.attempt import Attempt, current
from serving.runtime.session import Session
from tests.serving import graphs

PATIENCE_S = 20


def test_attempt_gives_what_its_work_gives() -> None:
    """The result comes, and so does what was raised, whatever it is."""
    assert Attempt(lambda: 7, is_behind=False).done.result(PATIENCE_S) == 7
    with pytest.raises(ZeroDivisionError):
        Attempt(lambda: 1 // 0, is_behind=True).done.result(PATIENCE_S)


def test_endless_run_ends_once_it_is_given_up(tmp_path: Path) -> None:
    """A run that would never end does, soon after its attempt was given up."""
    path = graphs.slow(tmp_path / "model.onnx")
    attempt = Attempt(lambda: Session.open(path).run({"steps": np.array(10**15)}), is_behind=False)
    with pytest.raises(Timeout):
        attempt.done.result(0.5)
    attempt.give_up()
    with pytest.raises(Exception, match="terminate flag"):
        attempt.done.result(PATIENCE_S)


def test_nothing_is_loaded_once_it_is_given_up(tmp_path: Path) -> None:
    """Work that goes on after it was given up loads no graph any more."""
    path = graphs.slow(tmp_path / "model.onnx")

    def work() -> Session:
        limits = current.get()
        assert limits is not None
        limits.end()
        return Session.open(path)

    with pytest.raises(InvalidArtifact, match="canceled"):
        Attempt(work, is_behind=False).done.result(PATIENCE_S)


def test_sessions_of_an_attempt_that_ended_well_run_on(tmp_path: Path) -> None:
    """What was loaded in time runs for ever after; nothing is bound to an attempt outside of one."""
    path = graphs.slow(tmp_path / "model.onnx")
    session = Attempt(lambda: Session.open(path), is_behind=False).done.result(PATIENCE_S)
    assert session.run({"steps": np.array(3)})["y"] == 3
    assert current.get() is None
