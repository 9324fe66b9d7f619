import shutil
from pathlib import Path

import numpy as np
import pytest

from hondo.errors import ServerError
from serving.bench import h2load, tensors
from serving.bench.figures import NOT_OK, summarise
from serving.bench.load import Closed, Load, Open, Pace
from serving.bench.questions import ask
from tests.serving.process import Process

needs_h2load = pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load (nghttp2-client) is not installed")

PACE = Pace(seconds=0.5, warm_up_s=0.1)
PRINTED = """
finished in 2.00s, 2.00 req/s, 28.37KB/s
requests: 4 total, 6 started, 4 done, 4 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 4 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 56.75KB (58109) total, 1.32KB (1350) headers (space savings 95.83%), 255B (255) data
                     min         max         mean         sd        +/- sd
"""
LOG = (
    "1795263824000000\t200\t6356\n1795263824500000\t200\t1000\n"
    "1795263825000000\t200\t2000\n1795263825000000\t200\t4000\n"
)


def test_output_is_read() -> None:
    """Each line of the log is a call; answers of 80 bytes that make up three quarters of the calls leave one failed."""
    calls = h2load.read(PRINTED, LOG, answer_bytes=80, day_s=1795263824, due=10)
    assert calls.due_s.tolist() == pytest.approx([0, 0.5, 1, 1])
    assert (calls.done_s - calls.due_s).tolist() == pytest.approx([0.006356, 0.001, 0.002, 0.004])
    assert calls.status.tolist() == [0, 0, 0, 0]
    assert calls.hidden_failures == pytest.approx(0.25)
    assert calls.not_sent == 4


def test_http_failures_are_unavailable() -> None:
    """A call that failed in HTTP, or got no answer, counts as UNAVAILABLE."""
    calls = h2load.read(PRINTED, LOG.replace("\t200\t", "\t-1\t"), answer_bytes=80, day_s=0)
    assert calls.status.tolist() == [14, 14, 14, 14]


@pytest.mark.parametrize(("printed", "log"), [("unable to connect", ""), (PRINTED, ""), ("", LOG)])
def test_no_output_is_an_error(printed: str, log: str) -> None:
    """Without a summary or a call there are no figures."""
    with pytest.raises(ServerError, match="made no call"):
        h2load.read(printed, log, answer_bytes=80, day_s=0)


def test_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where h2load is not installed, the error says what to install."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(h2load.H2loadMissing, match="apt install nghttp2-client"):
        h2load.program()


@needs_h2load
def test_connections_divide_the_calls() -> None:
    """A closed loop has exactly the calls at once that were asked for, whatever the number of connections."""
    for concurrency, expected in ((1, (1, 1)), (6, (3, 2)), (32, (4, 8)), (7, (1, 7))):
        command = h2load.arguments(
            Closed(concurrency), PACE, threads=2, server="h:1", method="/a.B/C", body=Path("b"), log=Path("l")
        )
        clients, streams = expected
        assert {f"--clients={clients}", f"--max-concurrent-streams={streams}", "http://h:1/a.B/C"} <= set(command)


@needs_h2load
@pytest.mark.parametrize("load", [Closed(4), Open(50)], ids=str)
def test_server_is_driven(server: Process, load: Load) -> None:
    """h2load's calls are answered OK by a real server, and by as many bytes as the answer that was seen alone."""
    asked = tensors.questions(server.address, "side", shapes={})
    (answer,) = ask(server.address, asked.method, asked.bodies[:1])
    drive = h2load.driver(2, asked, len(answer))
    calls, window, _ = drive(server.address, load, PACE, frozenset({server.popen.pid}))
    figures = summarise(calls, window, load, rows=1)
    assert len(calls.status)
    assert not calls.status.any()
    assert calls.hidden_failures == 0
    assert figures.failures == {}
    assert np.all(calls.done_s > calls.due_s)


@needs_h2load
def test_refusals_are_not_taken_for_answers(server: Process) -> None:
    """Calls that fail in gRPC, which h2load counts as successes, are found out and counted."""
    asked = tensors.questions(server.address, "fragile", shapes={"x": (5,)})
    calls, window, _ = h2load.driver(1, asked, 100)(server.address, Closed(2), PACE, frozenset())
    figures = summarise(calls, window, Closed(2), rows=1)
    assert calls.hidden_failures == 1
    assert figures.requests_per_s == 0
    assert set(figures.failures) <= {NOT_OK}
