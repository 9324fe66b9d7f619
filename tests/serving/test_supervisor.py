"""`hondo serve --workers`: processes that share a port, and the supervisor that keeps them alive."""

import asyncio
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import click
import grpc
import numpy as np
import pytest
from PIL import Image

from hondo.client import Client
from hondo.errors import ServerError
from protos.inference_pb2 import ModelInferRequest, ModelInferResponse, ServerLiveRequest, ServerLiveResponse
from protos.rpc import INFERENCE, unary
from serving import command
from serving.settings import Settings
from serving.supervisor import Restarts, Supervisor
from tests.serving import artifacts, graphs
from tests.serving.process import Process, hondo, serving
from tests.serving.swaps import LOOKS, newest, publish

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over processes")

PATIENCE_S: Final = 30.0
# Each channel is a connection of its own.
OWN: Final = ("grpc.use_local_subchannel_pool", 1)
# The policy of gRPC's own guide to retries.
RETRY: Final = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
RETRIES: Final = ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRY}]}))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier, and a graph that runs as long as it is asked to."""
    models = tmp_path_factory.mktemp("models")
    artifacts.write_classifier(models)
    graphs.slow(models / "slow" / "1" / "model.onnx")
    return models


@pytest.fixture
def server(models: Path, tmp_path: Path) -> Iterator[Process]:
    """`hondo serve` with two workers."""
    with serving(models, tmp_path / "server.log", "--workers", "2") as process:
        yield process


def pids(server: Process) -> list[int]:
    """Gives the process numbers of the workers that now stand in the places 1 and 2."""
    newest = dict(re.findall(r"worker (\d) is process (\d+)", server.log.read_text()))
    return [int(newest["1"]), int(newest["2"])]


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until something is so; fails where it takes too long."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    """Says whether a process has ended, whether or not its parent has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def connections(pid: int, port: int) -> int:
    """Counts the connections to a port that a process has accepted, as proc_pid_net(5) shows them."""
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    tables = [Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    established = [row for row in rows if row[3] == "01" and row[1].endswith(f":{port:04X}")]
    return sum(f"socket:[{row[9]}]" in links for row in established)


def slowly(channel: grpc.Channel, steps: int) -> int:
    """Runs the slow graph; gives its answer, which is `steps`."""
    request = ModelInferRequest(model_name="slow")
    request.inputs.add(name="steps", datatype="INT64").contents.int64_contents.append(steps)
    answer = unary(channel, INFERENCE, "ModelInfer", ModelInferResponse)(request, timeout=PATIENCE_S)
    return int(answer.outputs[0].contents.int64_contents[0])


def picture(side: int) -> bytes:
    """Gives a BMP file, white on the left."""
    shades_HW = np.where(np.arange(side) < side // 2, np.uint8(255), np.uint8(0))[np.newaxis].repeat(side, axis=0)
    file = io.BytesIO()
    Image.fromarray(shades_HW).save(file, "BMP")
    return file.getvalue()


class Load:
    """Threads that ask a server, each one call after the other, until told to stop."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(8)
        self._asking: list[Future[int]] = []
        # Calls of each thread so far.
        self.answered: list[int] = []

    def add(self, ask: Callable[[], object]) -> None:
        """Adds a thread."""
        self.answered.append(0)
        self._asking.append(self._threads.submit(self._go_on, ask, len(self._asking)))

    def check(self) -> None:
        """Raises the first call's error that there was so far."""
        for asking in self._asking:
            if asking.done():
                asking.result()

    def finish(self) -> list[int]:
        """Gives how many calls each thread had answered; raises the first call's error that there was."""
        self._stop.set()
        return [asking.result(PATIENCE_S) for asking in self._asking]

    def _go_on(self, ask: Callable[[], object], place: int) -> int:
        while not self._stop.wait(0.002):
            ask()
            self.answered[place] += 1
        return self.answered[place]


def came_up_twice(server: Process, number: int) -> bool:
    """Says whether a second worker with that number is ready."""
    return server.log.read_text().count(f"worker {number}: up") == 2


def end_both(server: Process, number: signal.Signals) -> None:
    """Sends a signal to the first worker and, once another is in its place, to the second; all under load."""
    for place in (0, 1):
        time.sleep(0.5)
        before = pids(server)[place]
        os.kill(before, number)
        wait_until(partial(came_up_twice, server, place + 1))
        assert pids(server)[place] != before
    time.sleep(0.5)


def test_every_worker_answers(server: Process) -> None:
    """Connections spread over the workers, and each that was opened, on a port that the system chose, is answered."""
    port = int(server.address.rpartition(":")[2])
    with ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(server.address, options=[OWN])) for _ in range(32)]
        for channel in channels:
            live = unary(channel, INFERENCE, "ServerLive", ServerLiveResponse)
            assert live(ServerLiveRequest(), timeout=PATIENCE_S).live
        counts = [connections(pid, port) for pid in pids(server)]
    assert min(counts) > 0
    assert sum(counts) == 32


def test_killed_workers_lose_no_call(server: Process) -> None:
    """Workers are killed under load one after the other: no client with retries sees an error."""
    load = Load()
    with ExitStack() as stack:
        client = stack.enter_context(Client(server.address))
        for side in (8, 1000):
            load.add(partial(client.classify, [picture(side)]))
        for steps in (1, 20):
            channel = stack.enter_context(grpc.insecure_channel(server.address, options=[OWN, RETRIES]))
            load.add(partial(slowly, channel, steps))
        end_both(server, signal.SIGKILL)
        answered = load.finish()
    assert min(answered) > 10


def test_stopped_workers_lose_no_call(server: Process) -> None:
    """Workers are stopped under load one after the other: others take their places, and no client sees an error."""
    load = Load()
    with Client(server.address) as client:
        for side in (*[8] * 7, 1000):
            load.add(partial(client.classify, [picture(side)]))
        end_both(server, signal.SIGTERM)
        answered = load.finish()
    assert min(answered) > 10
    assert server.log.read_text().count("exited with code 0; the next one starts in 0.2 s") == 2


def test_stop_answers_the_calls_in_flight(server: Process) -> None:
    """SIGTERM to the supervisor: calls in flight on every worker are answered, then all end, with code 0."""
    workers = pids(server)
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(12))
        channels = [stack.enter_context(grpc.insecure_channel(server.address, options=[OWN])) for _ in range(12)]
        for channel in channels:
            assert slowly(channel, 1) == 1
        calls = [threads.submit(slowly, channel, 400) for channel in channels]
        time.sleep(0.5)
        server.popen.terminate()
        assert [call.result() for call in calls] == [400] * 12
    assert server.popen.wait(PATIENCE_S) == 0
    assert all(map(is_gone, workers))


def test_workers_end_with_their_supervisor(server: Process) -> None:
    """A supervisor that is killed cannot stop its workers: they notice."""
    workers = pids(server)
    server.popen.kill()
    server.popen.wait()
    wait_until(lambda: all(map(is_gone, workers)))


def test_taken_port_is_refused(models: Path) -> None:
    """A port on which another server listens is refused before any worker starts."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = subprocess.run(
            hondo("serve", models, "--workers", "2", "--port", str(port)), capture_output=True, text=True, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        f"Error: cannot listen on 127.0.0.1:{port}: is another server there? Try another --port"
    )


def test_models_that_do_not_load_are_not_tried_again(tmp_path: Path) -> None:
    """A worker that says why it cannot start ends all at once, with code 1 and its reason in the log."""
    ended = subprocess.run(
        hondo("serve", tmp_path, "--workers", "2", "--port", "0", "--metrics-port", "0"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert f"no model in {tmp_path}" in ended.stderr
    assert re.search(r"Error: worker \d exited with code 1 before it was ready: stopped all", ended.stderr)
    assert "starts in" not in ended.stderr


def test_worker_gets_all_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's command line has every option of its supervisor's, the port's number and its share of the cores."""
    monkeypatch.setattr(command, "available", lambda: 5)
    asked = ["--workers", "3", "--host", "::", "--insecure", "--port", "0", "--device", "cpu", "--drain-seconds", "1.5"]
    context = command.serve.make_context("serve", [*asked, "--max-message-mb", "9", "--", "-models"])
    settings = Settings(workers=3)
    told = [parsed(command._worker_command(context, settings, 4242, number)) for number in (1, 2, 3)]
    same = {**context.params, "port": 4242, "workers": 1}
    assert told == [same | {"worker": number, "cores": cores} for number, cores in ((1, 2), (2, 2), (3, 1))]


def test_worker_has_at_least_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """More workers than cores get one each; a number that was asked for is everyone's."""
    monkeypatch.setattr(command, "available", lambda: 2)
    for asked, cores in ([], 1), (["--cores", "7"], 7):
        context = command.serve.make_context("serve", ["--workers", "3", *asked, "models"])
        settings = Settings(workers=3, cores=7 if asked else None)
        assert parsed(command._worker_command(context, settings, 4242, 3))["cores"] == cores


def parsed(line: list[str]) -> dict[str, object]:
    """Gives what `hondo serve` makes of a command line."""
    assert line[:4] == [sys.executable, "-m", "hondo.cli", "serve"]
    context: click.Context = command.serve.make_context("serve", line[4:])
    return context.params


# Stand-ins for workers: what they do after noting, in the file that they are given, that they started.
NOTE: Final = "import os, signal, sys, time; open(sys.argv[1], 'a').write(f'{time.monotonic()}\\n'); "
KILLED: Final = NOTE + "os.kill(os.getpid(), signal.SIGKILL)"
STEADY: Final = NOTE + "os.write(0, b'\\n'); os.read(0, 1)"
STUBBORN: Final = NOTE + "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.write(0, b'\\n'); time.sleep(60)"
READY_ONCE: Final = NOTE + "len(open(sys.argv[1]).readlines()) == 1 and os.write(0, b'\\n'); sys.exit(3)"


def supervisor(
    tmp_path: Path, *scripts: str, on_ready: Callable[[], None], patience_s: float = PATIENCE_S
) -> Supervisor:
    """Gives a supervisor of stand-ins that note their starts in the files 0, 1, ... of a folder."""
    commands = [[sys.executable, "-c", script, str(tmp_path / str(n))] for n, script in enumerate(scripts)]
    restarts = Restarts(first_delay_s=0.1, longest_delay_s=0.2, steady_after_s=PATIENCE_S, tries=4)
    return Supervisor(commands, restarts, patience_s=patience_s, on_ready=on_ready, on_end=lambda _pid: None)


def starts_s(tmp_path: Path, number: int) -> list[float]:
    """Gives when a stand-in started."""
    return [float(line) for line in (tmp_path / str(number)).read_text().splitlines()]


async def test_gives_up_where_a_worker_keeps_dying(tmp_path: Path) -> None:
    """A worker that ends again and again before it is ready, ever later, makes the supervisor end all and say why."""
    ready = asyncio.Event()
    reason = "worker 1 was ended by signal 9, the 4th in a row that ended before it was ready: stopped all"
    with pytest.raises(ServerError, match=reason):
        await supervisor(tmp_path, KILLED, STEADY, on_ready=ready.set).run(asyncio.Event())
    assert not ready.is_set()
    assert len(starts_s(tmp_path, 1)) == 1
    gaps_s = np.diff(starts_s(tmp_path, 0))
    assert len(gaps_s) == 3
    assert (gaps_s > [0.1, 0.2, 0.2]).all()


async def test_gives_up_later_where_all_were_ready(tmp_path: Path) -> None:
    """Once all were ready, a worker that says why it cannot start is tried again: somebody may be at it."""
    ready = asyncio.Event()
    with pytest.raises(ServerError, match="worker 1 exited with code 3, the 4th in a row"):
        await supervisor(tmp_path, READY_ONCE, on_ready=ready.set).run(asyncio.Event())
    assert ready.is_set()
    assert len(starts_s(tmp_path, 0)) == 5


async def test_kills_what_does_not_end(tmp_path: Path) -> None:
    """A worker that does not end when told to is killed after the patience given."""
    stop = asyncio.Event()
    started_s = time.monotonic()
    await supervisor(tmp_path, STUBBORN, STEADY, on_ready=stop.set, patience_s=0.3).run(stop)
    assert 0.3 < time.monotonic() - started_s < PATIENCE_S


def test_every_worker_keeps_up_with_the_folder(tmp_path: Path) -> None:
    """A new version is served by all workers, each having loaded it by itself."""
    models = tmp_path / "models"
    publish(models, 1)
    with (
        serving(models, tmp_path / "server.log", "--workers", "2", *LOOKS) as server,
        ExitStack() as stack,
    ):
        channels = [stack.enter_context(grpc.insecure_channel(server.address, options=[OWN])) for _ in range(16)]
        assert {newest(channel) for channel in channels} == {1}
        publish(models, 2)
        wait_until(lambda: {newest(channel) for channel in channels} == {2})
        wait_until(lambda: all(f"worker {n}: ended side version 1" in server.log.read_text() for n in (1, 2)))
    for number in (1, 2):
        assert f"worker {number}: serving side version 2, loaded in" in server.log.read_text()


def test_control_by_clients_is_refused(models: Path) -> None:
    """What would reach one worker alone is refused before any worker starts, saying what to do."""
    ended = subprocess.run(
        hondo("serve", models, "--workers", "2", "--model-control"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: --model-control needs --workers 1")
