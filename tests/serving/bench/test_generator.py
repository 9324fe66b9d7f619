import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from serving.bench import cpu, generator, tensors
from serving.bench.crew import Crew
from serving.bench.figures import summarise
from serving.bench.load import Closed, Load, Open, Pace
from serving.bench.questions import Questions
from tests.serving.process import Process

PACE = Pace(seconds=0.4, warm_up_s=0.1)


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    """Two processes that send."""
    with Crew(2) as crew:
        yield crew


@pytest.mark.parametrize("load", [Closed(1), Closed(5), Open(60)], ids=str)
def test_every_call_is_noted(server: Process, crew: Crew, load: Load) -> None:
    """Both kinds of load are answered OK, sent by several processes, and some of the answers are kept."""
    asked = tensors.questions(server.address, "side", shapes={})
    pids = cpu.listeners(int(server.address.split(":")[1]))
    calls, window, server_cpu_s = generator.driver(crew, asked)(server.address, load, PACE, pids)
    assert len(calls.status)
    assert not calls.status.any()
    assert (calls.done_s >= calls.due_s).all()
    assert calls.due_s.min() >= window.begin_s
    assert calls.samples
    assert calls.cpu_s is not None
    assert pids == {server.popen.pid}
    assert server_cpu_s is not None


def test_refusals_are_counted_by_status(server: Process, crew: Crew) -> None:
    """A call that the server refuses is counted under the status that it was refused with, and its time is known."""
    asked = tensors.questions(server.address, "fragile", shapes={"x": (5,)})
    calls, window, _ = generator.driver(crew, asked)(server.address, Closed(2), PACE, frozenset())
    figures = summarise(calls, window, Closed(2), rows=1)
    (failures,) = figures.failures.values()
    assert figures.requests_per_s == 0
    assert failures.count > 0
    assert failures.p99_ms is not None
    assert set(figures.failures) <= {"INVALID_ARGUMENT", "INTERNAL"}


def test_calls_beyond_the_bound_are_not_sent(server: Process, crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open loop that the server cannot follow has a bounded number under way and tells what it did not send."""
    monkeypatch.setattr(generator, "MAX_IN_FLIGHT", 2)
    asked = tensors.questions(server.address, "side", shapes={})
    calls, _, _ = generator.driver(crew, asked)(server.address, Open(20_000), PACE, frozenset())
    assert calls.not_sent > 0


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that never answers."""
    done = threading.Event()

    def wait(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        done.wait()
        return b""

    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Silence": grpc.unary_unary_rpc_method_handler(wait)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.Server", methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        done.set()
        server.stop(None).wait()


def test_deadline_travels_with_the_call(crew: Crew, silent: str) -> None:
    """Calls to a server that does not answer end at their deadline: none waits on, none counts as answered."""
    asked = Questions(method="/a.Server/Silence", bodies=(b"",), rows=1, feeds=({},), batches=True)
    pace = Pace(seconds=0.4, warm_up_s=0, deadline_s=0.1)
    calls, _, _ = generator.driver(crew, asked)(silent, Closed(2), pace, frozenset())
    # The server's own end of the call, at the same deadline, may come first.
    ends = {grpc.StatusCode.DEADLINE_EXCEEDED.value[0], grpc.StatusCode.CANCELLED.value[0]}
    assert len(calls.status)
    assert set(calls.status.tolist()) <= ends


def test_questions_are_asked_in_turn(server: Process, crew: Crew) -> None:
    """Different requests are sent, not one over and over."""
    asked = tensors.questions(server.address, "side", shapes={})
    assert isinstance(asked, Questions)
    calls, _, _ = generator.driver(crew, asked)(server.address, Closed(4), PACE, frozenset())
    assert len({body for body, _ in calls.samples}) > 1
