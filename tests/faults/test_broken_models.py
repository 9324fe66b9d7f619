"""A truncated, bit-flipped or swapped ONNX file."""

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import pytest

from protos.hondo_pb2 import ListModelsRequest, ListModelsResponse
from tests.faults.vitals import await_so, check_well
from tests.serving import artifacts, graphs
from tests.serving.asking import ask, infer, raw
from tests.serving.process import Process, hondo, serving
from tests.serving.swaps import LOOKS, OWN, newest, publish, rename, under_load

# How many files without a manifest, whose hash nobody promised, are tried with a bit flipped.
_FLIPPED: Final = 60


def truncate(file: Path) -> None:
    """Cuts off the last third."""
    data = file.read_bytes()
    file.write_bytes(data[: 2 * len(data) // 3])


def flip(file: Path, seed: int = 0) -> None:
    """Turns one bit over."""
    data = bytearray(file.read_bytes())
    data[random.Random(seed).randrange(len(data))] ^= 1 << seed % 8  # noqa: S311  no secret
    file.write_bytes(data)


def swap(file: Path) -> None:
    """Puts another model's graph in its place, which would load."""
    graphs.linear_classifier(file, np.roll(artifacts.weights(), 3, axis=1), artifacts.SIDE)


HARMS: Final[dict[str, Callable[[Path], None]]] = {"truncated": truncate, "flipped": flip, "swapped": swap}


def publish_harmed(models: Path, version: int, harm: Callable[[Path], None]) -> None:
    """Brings a version as the exporter does, its graph spoiled on the way."""
    aside = models / f".side-{version}"
    made = artifacts.write_classifier(aside, "side", version, turn=version)
    harm(made / "model.onnx")
    rename(made, models / "side" / str(version))
    shutil.rmtree(aside)


def await_refused(server: Process, name: str, version: int) -> None:
    """Waits until a version was refused, by the log."""
    await_so(lambda: f"refused {name} version {version}," in server.log.read_text(), f"{name}/{version} is not refused")


def test_harmed_versions_are_refused(models: Path, tmp_path: Path) -> None:
    """What is not what its manifest promises is refused, and told of; what was served stays, until a good one comes."""
    with (
        serving(models, tmp_path / "log", *LOOKS) as server,
        grpc.insecure_channel(server.address, options=OWN) as channel,
    ):
        with under_load(server.address):
            for version, harm in enumerate(HARMS.values(), 2):
                publish_harmed(models, version, harm)
                await_refused(server, "side", version)
                assert newest(channel) == 1
            publish(models, 5)
            await_so(lambda: newest(channel) == 5, "the good version is not served")
        listed = ask(channel, ListModelsRequest())
        assert isinstance(listed, ListModelsResponse)
        refused = {each.version: each.reason for each in listed.absent if each.name == "side" and each.version > 1}
        assert sorted(refused) == [2, 3, 4]
        assert all("was altered" in reason for reason in refused.values()), refused
        check_well(server.address)


def test_harmed_in_place_what_is_served_stays(models: Path, tmp_path: Path) -> None:
    """A file that is spoiled under a running server changes no answer; the same server does not start on it again."""
    with serving(models, tmp_path / "log", *LOOKS) as server, under_load(server.address):
        swap(models / "side" / "1" / "model.onnx")
        await_refused(server, "side", 1)
        check_well(server.address)
    command = hondo("serve", models, "--port", "0", "--metrics-port", "0", "--device", "cpu")
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].startswith("Error: ")
    assert str(models / "side" / "1") in again.stderr.splitlines()[-1]
    assert "Traceback" not in again.stderr


def test_files_that_nobody_vouches_for(models: Path, tmp_path: Path) -> None:
    """Of bare ONNX files, cut off or with a bit flipped, each is refused or served; the server lives through all."""
    (models / "hondo.toml").write_text('[models.bare]\nversions = "all"\n')
    weights = np.arange(8, dtype=np.float32).reshape(2, 4)
    original = graphs.table_classifier(models / "bare" / "1" / "model.onnx", weights)
    data = original.read_bytes()
    last = 1
    for length in range(0, len(data), len(data) // 12):
        last += 1
        _write(models, last, data[:length])
    for seed in range(_FLIPPED):
        last += 1
        _write(models, last, data)
        flip(models / "bare" / str(last) / "model.onnx", seed)
    with (
        serving(models, tmp_path / "log", "--watch") as server,
        grpc.insecure_channel(server.address, options=OWN) as channel,
    ):
        log = server.log.read_text()
        assert log.count("refused bare version") > 12
        assert "Traceback" not in log
        question = raw("FP32", [1, 2], [1.0, 0.0], "values")
        question.model_name, question.model_version = "bare", "1"
        answer = np.frombuffer(infer(channel, question).raw_output_contents[0], np.float32)
        assert answer == pytest.approx(np.exp(np.arange(4)) / np.exp(np.arange(4)).sum())
        check_well(server.address)


def _write(models: Path, version: int, data: bytes) -> None:
    (models / "bare" / str(version)).mkdir()
    (models / "bare" / str(version) / "model.onnx").write_bytes(data)
