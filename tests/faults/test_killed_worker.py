"""SIGKILL of a worker, of two that share a port."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import grpc
import pytest

from hondo.client import Client
from protos.hondo_pb2 import GenerateRequest, GenerateResponse
from protos.rpc import HONDO, replies
from serving.bench.holdings import held
from tests.faults.vitals import await_so, check_well, write
from tests.serving import artifacts, writers
from tests.serving.asking import PATIENCE_S, call_of
from tests.serving.process import Process, serving
from tests.serving.requests import PICTURES
from tests.serving.swaps import OWN, classify, infer
from tests.serving.test_supervisor import RETRIES, Load, is_gone, pids

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over processes")

KILLS = 4


@pytest.fixture
def server(models: Path, tmp_path: Path) -> Iterator[Process]:
    """A supervisor and two workers."""
    with serving(models, tmp_path / "log", "--workers", "2") as process:
        yield process


def in_turn(ask: Callable[[int], object]) -> Callable[[], None]:
    """Gives what asks about one picture after the other."""
    asked = iter(range(1_000_000))
    return lambda: (ask(next(asked) % 4), None)[1]


def named(client: Client, picture: int) -> None:
    """Holds that the typed client is told what a picture is."""
    answer = client.classify([PICTURES[picture]], model="side")
    assert answer.results[0].labels[0].name == artifacts.LABELS[picture]


def written(channel: grpc.Channel) -> None:
    """Has a text written that lasts, again where its worker is gone; what came of it until then was right."""
    tokens, _ = writers.written([writers.START], 3000, seed=1)
    whole, text = writers.decode(tokens), ""
    request = GenerateRequest(model="writer", max_characters=3000, seed=1, stream_interval_ms=0)
    try:
        for answer in replies(channel, HONDO, "Generate", GenerateResponse)(request, timeout=PATIENCE_S):
            text += "".join(each.text for each in answer.continued)
    except grpc.RpcError as error:
        assert call_of(error).code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017  any other fails the test
        assert whole.startswith(text)
    else:
        assert text == whole


def test_killed_workers_lose_no_call(server: Process) -> None:
    """Workers are killed again and again under load: no client with gRPC's retries sees an error or a wrong answer.

    A text that had begun ends with UNAVAILABLE, right as far as it came. The supervisor ends with what it began with,
    and nothing is left of it or of its workers at the end.
    """
    before = held(server.popen.pid)
    load = Load()
    with ExitStack() as stack:
        client = stack.enter_context(Client(server.address))
        channels = [
            stack.enter_context(grpc.insecure_channel(server.address, options=[*OWN[:1], RETRIES])) for _ in "12"
        ]
        texts = stack.enter_context(grpc.insecure_channel(server.address, options=OWN))
        load.add(in_turn(partial(named, client)))
        load.add(in_turn(partial(classify, channels[0])))
        load.add(in_turn(partial(infer, channels[1])))
        load.add(partial(written, texts))
        for number in range(KILLS):
            # All are connected (again) before one goes: gRPC's retries are shorter than its wait after a connection
            # that broke while it was made.
            await_so(partial(_all_go_on, load, list(load.answered)), "not all clients are answered")
            place = number % 2
            killed = pids(server)[place]
            os.kill(killed, signal.SIGKILL)
            came_up = number // 2 + 2
            await_so(partial(_came_up, server.log, place + 1, came_up), "no worker follows")
        assert min(load.finish()) > 3
        write(texts)
    assert held(server.popen.pid).file_handles <= before.file_handles + 2
    assert held(server.popen.pid).resident_kb <= before.resident_kb + 8 * 1024
    check_well(server.address)
    server.popen.terminate()
    assert server.popen.wait(PATIENCE_S) == 0
    assert all(map(is_gone, pids(server)))


def _all_go_on(load: Load, since: list[int]) -> bool:
    load.check()
    return all(now > before + 1 for now, before in zip(load.answered, since, strict=True))


def _came_up(log: Path, number: int, times: int) -> bool:
    return log.read_text().count(f"worker {number}: up") == times
