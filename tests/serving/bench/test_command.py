import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hondo.cli import main
from tests.serving.bench.samples import jpeg
from tests.serving.process import Process, hondo


def bench(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Runs `hondo bench` as users do."""
    return subprocess.run(hondo("bench", *arguments), capture_output=True, text=True, check=False, timeout=240)


def measured(*arguments: str | Path) -> Any:
    """Gives the JSON document of a bench that must succeed."""
    ran = bench("--json", *arguments)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_running_server_is_measured(server: Process, models_dir: Path, tmp_path: Path) -> None:
    """Against a running server: closed and open loops, raw ONNX Runtime, an empty server, a plot, no wrong answer."""
    graph, picture = models_dir / "side" / "2" / "model.onnx", tmp_path / "plot.png"
    loads = ("--seconds", "0.5", "--concurrency", "1,4", "--rate", "40")
    found = measured("side", "--server", server.address, *loads, "--echo", "--graph", graph, "--plot", picture)
    assert [point["load"]["kind"] for point in found["points"]] == ["closed", "closed", "open"]
    for point in found["points"]:
        assert point["served"]["failures"] == {}
        assert point["raw"]["ratio"] == point["served"]["rows_per_s"] / point["raw"]["per_s"]
        assert point["wrong"] == 0 < point["checked"]
    assert [point["echo"] is None for point in found["points"]] == [False, False, True]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_started_server_is_watched(models_dir: Path) -> None:
    """A server that the bench starts gets its options, and its workers tell how late their event loops were."""
    options = ("--seconds", "0.5", "--concurrency", "2", "--watchdog", "--device", "cpu")
    found = measured("side", "--models", models_dir, *options, "--", "--workers", "2")
    assert found["server"]["started_by_bench"] is True
    assert found["event_loop"]["worst_ms"] >= found["event_loop"]["p999_ms"] > 0
    assert found["raw"] is None


def test_pictures_are_sent_as_they_are(server: Process, models_dir: Path, tmp_path: Path) -> None:
    """Picture files go out by Classify, several a request, and count as rows."""
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(40 + number))
    graph = models_dir / "side" / "2" / "model.onnx"
    asked = ("--server", server.address, "--input", "images", "--images", tmp_path, "--rows", "2")
    found = measured("side", *asked, "--seconds", "0.3", "--concurrency", "2", "--graph", graph)
    (point,) = found["points"]
    assert found["requests"]["method"] == "/hondo.v1.Hondo/Classify"
    assert point["served"]["rows_per_s"] == pytest.approx(2 * point["served"]["requests_per_s"])
    assert point["raw"]["per_s"] > 0
    assert point["wrong"] == 0


def test_edge_detectors_are_sent_pictures_of_one_size(server: Process, models_dir: Path, tmp_path: Path) -> None:
    """Picture files go out by DetectEdges, those of the commonest size, and are held against the raw graph."""
    for number, width in enumerate((40, 41, 40)):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(width))
    graph = models_dir / "edgy" / "1" / "model.onnx"
    asked = ("--server", server.address, "--input", "images", "--images", tmp_path)
    found = measured("edgy", *asked, "--seconds", "0.3", "--concurrency", "1,4", "--graph", graph)
    assert found["requests"]["method"] == "/hondo.v1.Hondo/DetectEdges"
    for point in found["points"]:
        assert point["served"]["failures"] == {}
        assert point["raw"]["per_s"] > 0
        assert point["wrong"] == 0 < point["checked"]


def test_table_is_printed(server: Process) -> None:
    """Without --json a person gets a table."""
    ran = bench("side", "--server", server.address, "--seconds", "0.3", "--concurrency", "2", "--no-raw")
    assert ran.returncode == 0, ran.stderr
    assert "requests/s" in ran.stdout
    assert "2 at once" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--models", "m", "--server", "h:1"], "give one of them"),
        (["--server", "h"], "HOST:PORT"),
        (["--watchdog"], "--models"),
        (["--", "--port", "1"], "--models"),
        (["--input", "images"], "--images"),
        (["--concurrency", "1,two"], "not a list of numbers"),
        (["--rate", "-5"], "above 0"),
        (["--shape", "x=1,b"], "NAME=1,3,224,224"),
    ],
)
def test_contradictions_are_refused(arguments: list[str], reason: str) -> None:
    """Options that cannot be meant together, or that mean nothing, end in a usage error before anything runs."""
    refused = CliRunner().invoke(main, ["bench", "side", *arguments])
    assert refused.exit_code == 2
    assert reason in refused.output


def test_unknown_model_is_an_error(server: Process) -> None:
    """A model that the server does not have is named, without a traceback."""
    ran = bench("nobody", "--server", server.address)
    assert ran.returncode == 1
    assert "NOT_FOUND" in ran.stderr
    assert "Traceback" not in ran.stderr
