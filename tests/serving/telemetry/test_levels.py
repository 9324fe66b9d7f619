"""The log's levels, changed while a server runs."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from hondo.errors import InvalidRequest, NotSupported
from protos.inference_pb2 import ServerLiveRequest
from protos.triton_pb2 import LogSettingsRequest
from serving.telemetry import logs
from serving.telemetry.levels import NAMES, Levels, Shown
from tests.serving import artifacts
from tests.serving.asking import PATIENCE_S, ask, refusal
from tests.serving.process import Process, hondo, serving

OWN = (("grpc.use_local_subchannel_pool", 1),)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one classifier."""
    models = tmp_path_factory.mktemp("models")
    artifacts.write_classifier(models)
    return models


@pytest.fixture
def as_before() -> Iterator[None]:
    """Leaves this process's own log as it was."""
    levels = {name: logging.getLogger(name).level for name in (None, "hondo", "serving")}
    yield
    logs._shown.clear()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def log_level(server: Process, *arguments: str) -> str:
    """Runs `hondo log-level`; gives what it prints."""
    command = hondo("log-level", *arguments, "--server", server.address)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def request(**settings: bool | int | str) -> LogSettingsRequest:
    """Gives a request with settings."""
    made = LogSettingsRequest()
    for name, value in settings.items():
        kind = {bool: "bool_param", int: "uint32_param", str: "string_param"}[type(value)]
        setattr(made.settings[name], kind, value)
    return made


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until something is so."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.05)


def lines(server: Process, worker: str = "") -> int:
    """Counts the log's lines about requests for ServerLive."""
    return len(re.findall(rf"{worker}.*ServerLive OK after", server.log.read_text()))


def test_a_level_has_all_that_matters_more() -> None:
    """Debug has everything, and each of the others less than the one before; errors are in all."""
    shown = [
        sum([bool(levels.verbose), levels.info, levels.warning, levels.error]) for levels in map(Levels.named, NAMES)
    ]
    assert shown == [4, 3, 2, 1]
    assert Levels.named("error").error


def test_what_is_not_named_stays() -> None:
    """Settings that a request does not have stay as they were."""
    changed = Levels().changed(request(log_warning=False).settings)
    assert changed == Levels(warning=False)
    assert changed.changed(request(log_verbose_level=3).settings) == Levels(warning=False, verbose=3)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (request(log_info=1), "log_info: true or false expected"),
        (request(log_verbose_level=True), "log_verbose_level: a whole number expected"),
        (request(level="info"), "there is no 'level', but log_info"),
    ],
)
def test_wrong_settings_are_refused(wrong: LogSettingsRequest, text: str) -> None:
    """What is no setting, or not of its kind, is INVALID_ARGUMENT."""
    with pytest.raises(InvalidRequest, match=text):
        Levels().changed(wrong.settings)


def test_what_is_settled_at_the_start_says_so() -> None:
    """The log's file and format cannot be changed."""
    for name in ("log_file", "log_format"):
        with pytest.raises(NotSupported, match=f"{name} is settled when the server starts"):
            Levels().changed(request(**{name: "x"}).settings)


def test_lines_are_shown_by_their_level(as_before: None) -> None:
    """Each level is on or off by itself; what is worse than an error goes with errors."""
    Levels(info=False, warning=True, error=False, verbose=1).show()
    numbers = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    records = [logging.LogRecord("", number, "", 0, "", None, None) for number in numbers]
    assert [logs._is_shown(record) for record in records] == [True, False, True, False, False]
    assert logging.getLogger("serving.server").getEffectiveLevel() == logging.DEBUG


def test_only_hondos_own_debug_lines_are_shown(as_before: None) -> None:
    """At debug the log has lines about requests, not those that libraries write about each call and picture."""
    Levels.named("debug").show()
    assert logging.getLogger("grpc._cython.cygrpc").getEffectiveLevel() == logging.INFO
    Levels.named("error").show()
    assert logging.getLogger("grpc._cython.cygrpc").getEffectiveLevel() == logging.ERROR


def test_processes_share_what_was_said_last(as_before: None, tmp_path: Path) -> None:
    """What one sets is in force in one that starts later, whatever its command line says."""
    first = Shown(Levels(), tmp_path)
    first.set(Levels.named("error"))
    assert Shown(Levels(), tmp_path).levels == Levels.named("error")
    assert [path.name for path in tmp_path.iterdir()] == ["log-levels"]


def test_level_changes_while_a_server_runs(models: Path, tmp_path: Path) -> None:
    """At debug each request has a line, at info and error none; the change itself is always told."""
    with serving(models, tmp_path / "log") as server, grpc.insecure_channel(server.address) as channel:
        ask(channel, ServerLiveRequest())
        assert log_level(server) == "logs info, warning, error"
        assert log_level(server, "debug") == "logs debug, info, warning, error"
        assert lines(server) == 0
        ask(channel, ServerLiveRequest())
        wait_until(lambda: lines(server) == 1)
        assert log_level(server, "error") == "logs error"
        ask(channel, ServerLiveRequest())
        assert log_level(server) == "logs error"
        assert lines(server) == 1
        assert server.log.read_text().count("the log's levels: ") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over processes")
def test_every_worker_hears_of_it(models: Path, tmp_path: Path) -> None:
    """What one worker was told holds in the other within moments, and in one that takes the place of a dead one."""
    with serving(models, tmp_path / "log", "--workers", "2") as server, ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(server.address, options=OWN)) for _ in range(16)]
        log_level(server, "debug")

        def each_tells() -> bool:
            for channel in channels:
                ask(channel, ServerLiveRequest())
            return lines(server, "worker 1:") > 0 and lines(server, "worker 2:") > 0

        wait_until(each_tells)
        pid = re.findall(r"worker 1 is process (\d+)", server.log.read_text())[-1]
        os.kill(int(pid), signal.SIGKILL)
        wait_until(lambda: len(re.findall(r"worker 1 is process", server.log.read_text())) == 2)
        wait_until(lambda: server.log.read_text().count("worker 1: up") == 2)
        assert log_level(server) == "logs debug, info, warning, error"


def test_strangers_change_nothing(models: Path, tmp_path: Path) -> None:
    """A server that listens to all and knows nobody says what it logs, and lets nobody change it."""
    options = ("--host", "0.0.0.0", "--insecure")  # noqa: S104  on purpose
    with serving(models, tmp_path / "log", *options) as server:
        port = server.address.rpartition(":")[2]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            ask(channel, LogSettingsRequest())
            code, text = refusal(channel, request(log_info=False))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "--tokens" in text
