"""Leashes on a session that loops as long as it is told."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from hondo.errors import DeadlineExceeded
from serving.batching.leash import Leash, watch
from serving.runtime.session import Session
from tests.serving import graphs

FOR_EVER = {"steps": np.array(10**12)}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session that loops as often as it is told."""
    watch()
    return Session.open(graphs.slow(tmp_path_factory.mktemp("slow") / "model.onnx"))


def test_a_late_run_is_ended(slow: Session) -> None:
    """A run ends soon after its limit, and its caller is told DEADLINE_EXCEEDED."""
    began_s = time.monotonic()
    with pytest.raises(Exception, match="terminate") as ended, Leash(0.3) as leash:
        slow.run(FOR_EVER, options=leash.options)
    assert 0.3 <= time.monotonic() - began_s < 20
    assert leash.is_late
    why = leash.why(ended.value)
    assert isinstance(why, DeadlineExceeded)
    assert str(why).startswith("the graph ran for longer than 0.3 s")


def test_a_run_that_is_pulled_ends(slow: Session) -> None:
    """Whoever holds the leash ends the run from another thread; that is no lateness."""
    leash = Leash(60)
    threading.Timer(0.2, leash.pull).start()
    with pytest.raises(Exception, match="terminate") as ended, leash:
        slow.run(FOR_EVER, options=leash.options)
    assert not leash.is_late
    assert leash.why(ended.value) is ended.value


def test_leashes_do_not_touch_each_other(slow: Session, tmp_path: Path) -> None:
    """A run in time is answered while another of the same session is ended, and so are those that come after."""
    late = threading.Thread(target=lambda: test_a_late_run_is_ended(slow))
    late.start()
    while late.is_alive():
        with Leash(60) as leash:
            assert slow.run({"steps": np.array(3)}, options=leash.options)["y"] == 3
        assert not leash.is_late
    late.join()
