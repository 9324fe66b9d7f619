"""What Prometheus reads of a server: counts that are right, for one process and for several."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hondo.client import Client
from protos.inference_pb2 import ModelInferRequest
from serving.telemetry.metrics import Metrics
from serving.telemetry.tally import Outcome
from tests.serving import graphs, writers
from tests.serving.asking import PATIENCE_S, infer, raw, refusal
from tests.serving.process import Process, hondo, serving

# Each channel is a connection of its own.
OWN = [("grpc.use_local_subchannel_pool", 1)]
Labels = dict[str, str]
OF: Labels = {"model": "pick", "version": "1", "graph": "model"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one model, which fails at an index beyond three."""
    models = tmp_path_factory.mktemp("models")
    graphs.pick(models / "pick" / "1" / "model.onnx")
    return models


@pytest.fixture
def server(models: Path, tmp_path: Path) -> Iterator[Process]:
    """A server of that model."""
    with serving(models, tmp_path / "log") as process:
        yield process


def pick(*indices: int) -> ModelInferRequest:
    """Gives a request of so many rows."""
    request = raw("INT64", [len(indices)], list(indices), "index")
    request.model_name = "pick"
    return request


def metrics(server: Process) -> dict[str, list[tuple[Labels, float]]]:
    """Scrapes a server: each series' labels and value, by its name."""
    found = re.search(r"metrics on (\S+)", server.log.read_text())
    assert found is not None
    with urllib.request.urlopen(found[1], timeout=PATIENCE_S) as answer:  # noqa: S310  our own server
        families = list(text_string_to_metric_families(answer.read().decode()))
    series: dict[str, list[tuple[Labels, float]]] = {}
    for sample in (sample for family in families for sample in family.samples):
        series.setdefault(sample.name, []).append((sample.labels, sample.value))
    return series


def requests(server: Process) -> dict[str, float]:
    """Gives how many requests left the queue, by how."""
    series = metrics(server)["hondo_requests_total"]
    assert all({**labels, **OF} == labels for labels, _ in series)
    return {labels["outcome"]: value for labels, value in series}


def test_requests_and_runs_are_counted(server: Process) -> None:
    """Every request counts once by its outcome, every run by its rows and its seconds; what never happened is 0."""
    assert set(requests(server).values()) == {0}
    with grpc.insecure_channel(server.address) as channel:
        for rows in (1, 2, 2):
            infer(channel, pick(*range(rows)))
        refusal(channel, pick(99))
    assert requests(server) == {"answered": 3, "failed": 1, "refused": 0, "expired": 0, "cancelled": 0}
    series = metrics(server)
    assert series["hondo_queue_rows"] == [(OF, 0)]
    assert series["hondo_batch_rows_count"] == series["hondo_run_seconds_count"] == [(OF, 3)]
    assert series["hondo_batch_rows_sum"] == [(OF, 5)]
    assert ({**OF, "le": "1.0"}, 1) in series["hondo_batch_rows_bucket"]
    assert ({**OF, "le": "2.0"}, 3) in series["hondo_batch_rows_bucket"]
    assert 0 < series["hondo_run_seconds_sum"][0][1] < PATIENCE_S


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over processes")
def test_workers_are_counted_together(models: Path, tmp_path: Path) -> None:
    """What several workers did adds up, a moment later, and stays when one of them dies."""
    with serving(models, tmp_path / "log", "--workers", "2") as server:

        def ask(connections: int) -> None:
            for _ in range(connections):
                with grpc.insecure_channel(server.address, options=OWN) as channel:
                    infer(channel, pick(0))

        def wait_for(answered: int) -> None:
            give_up_s = time.monotonic() + PATIENCE_S
            while (found := requests(server)["answered"]) < answered:
                assert time.monotonic() < give_up_s
                time.sleep(0.05)
            assert found == answered

        ask(24)  # that all go to one of two workers happens once in eight million times
        wait_for(24)
        pid = int(re.findall(r"worker 1 is process (\d+)", server.log.read_text())[0])
        subprocess.run(["kill", f"-{signal.SIGKILL}", str(pid)], check=True)
        give_up_s = time.monotonic() + PATIENCE_S
        while server.log.read_text().count(": up, device") < 3:
            assert time.monotonic() < give_up_s
            time.sleep(0.05)
        ask(8)
        wait_for(32)
        assert metrics(server)["hondo_queue_rows"] == [(OF, 0)]


def test_taken_port_is_refused(models: Path) -> None:
    """Metrics that nobody could read are no metrics: a server whose port for them is taken does not start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = hondo("serve", models, "--port", "0", "--metrics-port", str(port))
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port} for metrics" in result.stderr
    assert "Traceback" not in result.stderr


def test_writing_is_counted(tmp_path: Path) -> None:
    """Of a model that writes, jobs, rows and tokens are counted, at the graph that they went through."""
    writers.write_writer(tmp_path / "models")
    read, step = ({"model": "writer", "version": "1", "graph": graph} for graph in ("prefill", "step"))
    with serving(tmp_path / "models", tmp_path / "log") as server, Client(server.address) as client:
        list(client.generate("hello", max_characters=10, continuations=2, seed=1))
        client.score("hello")
        series = metrics(server)
    assert ({**step, "outcome": "answered"}, 2) in series["hondo_requests_total"]
    assert sorted(series["hondo_tokens_total"], key=str) == sorted([(read, 10), (step, 20)], key=str)
    assert series["hondo_running_rows"] == series["hondo_queue_rows"] == [(step, 0)]
    assert (step, 2 * 3) in series["hondo_batch_rows_sum"]
    assert {labels["graph"] for labels, _ in series["hondo_run_seconds_count"]} == {"prefill", "step"}


def test_counts_of_a_version_can_be_dropped() -> None:
    """What was counted for a version that is gone goes; other versions' counts stay."""
    metrics = Metrics()
    for version in (1, 2):
        metrics.tally("m", version, "model").requests[Outcome.ANSWERED].inc(version)
        metrics.decode_tally("w", version).written_tokens.inc()
    metrics.forget("m", 1)
    metrics.forget("w", 2)
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    of_models = {(each.labels["model"], each.labels["version"]) for each in samples if "model" in each.labels}
    assert of_models == {("m", "2"), ("w", "1")}
    assert sum(sample.value for sample in samples if sample.name == "hondo_requests_total") == 2
