"""`hondo serve --watch`: what becomes of versions that come, go, change or are broken, while calls go on."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckResponse

from hondo import artifact
from hondo.artifact import GOLDEN
from protos.hondo_pb2 import (
    Absent,
    ClassifyRequest,
    GenerateRequest,
    GenerateResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    ScoreRequest,
)
from protos.inference_pb2 import ModelInferRequest, ModelMetadataRequest
from protos.manifest_pb2 import Classification, Graph, Manifest, TableInput
from protos.rpc import HONDO, replies
from tests.serving import artifacts, graphs, writers
from tests.serving.asking import PATIENCE_S, ask, infer, raw, refusal
from tests.serving.health import check, watch
from tests.serving.process import Process, serving
from tests.serving.requests import PICTURES
from tests.serving.swaps import LOAD_S, LOOKS, classify, newest, publish, remove, rename, wait_until


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `server`."""
    models = tmp_path_factory.mktemp("models")
    publish(models, 1, "first")
    return models


@pytest.fixture(scope="module")
def server(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that watches the folder."""
    with serving(shared, tmp_path_factory.mktemp("log") / "log", *LOOKS) as process:
        yield process


@pytest.fixture
def channel(server: Process) -> Iterator[grpc.Channel]:
    """A connection to `server`."""
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture
def name(request: pytest.FixtureRequest, shared: Path, channel: grpc.Channel) -> str:
    """The name of a classifier that `server` serves in version 1, for this test alone."""
    own = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    publish(shared, 1, own)
    wait_until(lambda: listed(channel, own)[0] == ["1"])
    return own


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with version 1 of the classifier "side", for a server of one's own."""
    publish(tmp_path / "models", 1)
    return tmp_path / "models"


def listed(channel: grpc.Channel, name: str) -> tuple[list[str], dict[int, Absent]]:
    """Gives which versions of a model are served, and which are not."""
    answer = ask(channel, ListModelsRequest())
    assert isinstance(answer, ListModelsResponse)
    served = [str(model.version) for model in answer.models if model.name == name]
    return served, {absent.version: absent for absent in answer.absent if absent.name == name}


def state(channel: grpc.Channel, name: str, version: int) -> "Absent.State | int | None":
    """Gives why a version is not served; None where it is, or is not there."""
    absent = listed(channel, name)[1].get(version)
    return None if absent is None else absent.state


def truncate(folder: Path) -> None:
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[: len(data) // 2])


def regild(folder: Path) -> None:
    """Lets the golden samples disagree with the graph, with all hashes right."""
    manifest = artifact.read(folder).manifest
    inputs, outputs = artifact.read(folder).golden("model")
    wrong = np.roll(outputs["probabilities"], 1, axis=1)
    artifacts.write_golden(folder, {"model/in/image": inputs["image"], "model/out/probabilities": wrong})
    manifest.golden.CopyFrom(artifact.describe(folder / GOLDEN))
    artifacts.write_manifest(folder, manifest)


def publish_spoilt(models: Path, version: int, name: str, spoil: Callable[[Path], object]) -> None:
    """Brings a broken version."""
    made = artifacts.write_classifier(models / f".{name}-{version}", name, version, turn=version)
    spoil(made)
    rename(made, models / name / str(version))


def test_new_version_takes_over(shared: Path, channel: grpc.Channel, name: str) -> None:
    """What comes is served instead of what was there, under its own number, and nothing else is."""
    assert classify(channel, 0, name) == 1
    publish(shared, 2, name)
    wait_until(lambda: newest(channel, name) == 2)
    assert classify(channel, 0, name) == 2
    assert refusal(channel, GetModelRequest(model=name, version=1)) == (
        grpc.StatusCode.NOT_FOUND,
        f"model {name!r} has no version 1 (the setting `versions` is newest); this server has 2",
    )


def test_new_model_is_served(shared: Path, channel: grpc.Channel) -> None:
    """A model that was not there before is served; its health, which was unknown, is told to those who watch it."""
    health = watch(channel, "other")
    assert next(health) == HealthCheckResponse.SERVICE_UNKNOWN
    publish(shared, 3, "other")
    assert next(state for state in health if state != HealthCheckResponse.NOT_SERVING) == HealthCheckResponse.SERVING
    assert listed(channel, "other") == (["3"], {})
    assert check(channel, "other/3") == HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (truncate, "model.onnx was altered: its sha256 is"),
        (regild, "model's output 'probabilities' differs here from the golden samples by"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx is named by the manifest, but: No such file"),
    ],
    ids=["truncated", "golden", "manifest", "missing"],
)
def test_broken_version_is_refused(
    shared: Path, server: Process, name: str, spoil: Callable[[Path], object], text: str
) -> None:
    """A version that is broken is refused, and what was served stays: the log, the list and the health say so."""
    publish_spoilt(shared, 2, name, spoil)
    with grpc.insecure_channel(server.address) as channel:
        wait_until(lambda: state(channel, name, 2) == Absent.REFUSED)
        assert classify(channel, 0, name) == 1
        served, absent = listed(channel, name)
        assert served == ["1"]
        assert text in absent[2].reason
        assert f"ERROR refused {name} version 2, version 1 stays: {absent[2].reason}" in server.log.read_text()
        assert check(channel, name) == check(channel, f"{name}/1") == HealthCheckResponse.SERVING
        assert check(channel, f"{name}/2") == HealthCheckResponse.NOT_SERVING
        code, told = refusal(channel, ClassifyRequest(model=name, version=2, images=PICTURES[:1]))
        assert code is grpc.StatusCode.NOT_FOUND
        assert told == f"model {name!r} has no version 2 ({absent[2].reason}); this server has 1"
        answer = ask(channel, GetModelRequest(model=name))
        assert isinstance(answer, GetModelResponse)
        assert (answer.model.version, list(answer.absent)) == (1, [absent[2]])


def test_refused_version_is_tried_again_once_it_has_changed(
    shared: Path, server: Process, channel: grpc.Channel, name: str
) -> None:
    """As long as its files are the same a broken version is not tried again; mended, it is served."""
    publish_spoilt(shared, 2, name, truncate)
    wait_until(lambda: state(channel, name, 2) == Absent.REFUSED)
    time.sleep(0.5)  # several looks
    assert server.log.read_text().count(f"refused {name} version 2") == 1
    publish(shared, 2, name)
    wait_until(lambda: newest(channel, name) == 2)
    assert listed(channel, name)[0] == ["2"]


def test_broken_version_in_the_place_of_a_served_one_is_refused(shared: Path, channel: grpc.Channel, name: str) -> None:
    """Where a folder that is served is replaced by a broken one, what was loaded from it before serves on."""
    publish_spoilt(shared, 1, name, truncate)
    wait_until(lambda: state(channel, name, 1) == Absent.REFUSED)
    assert listed(channel, name)[0] == ["1"]
    assert classify(channel, 0, name) == 1


def test_version_that_is_replaced_is_loaded_anew(shared: Path, channel: grpc.Channel, name: str) -> None:
    """Other files under the same number are another version, too."""
    made = artifacts.write_classifier(shared / f".{name}", name, 1, turn=3)
    rename(made, shared / name / "1")
    wait_until(lambda: best(channel, name) == 3)


def best(channel: grpc.Channel, name: str) -> int:
    """Gives the class that the first picture is found to be of."""
    request = raw("UINT8", [1, 8, 8, 1], artifacts.samples()[0].ravel().tolist(), "image")
    request.model_name = name
    return int(np.frombuffer(infer(channel, request).raw_output_contents[0], "<f4").argmax())


def write_endless(folder: Path) -> None:
    """Writes an artifact whose golden samples take for ever."""
    graph = graphs.slow_classifier(folder / "model.onnx")
    values = np.array([[1e15]], np.float32)
    probabilities = np.array([[0.5, 0.5]], np.float32)
    artifacts.write_golden(folder, {"model/in/values": values, "model/out/probabilities": probabilities})
    task = Classification(labels=["a", "b"], table=TableInput(columns=["steps"]))
    manifest = Manifest(
        name=folder.parent.name,
        version=int(folder.name),
        graphs=[Graph(role="model", file=artifact.describe(graph))],
        golden=artifact.describe(folder / GOLDEN),
        classification=task,
    )
    artifacts.write_manifest(folder, manifest)


def test_endless_load_is_given_up(models: Path, tmp_path: Path) -> None:
    """What takes too long to load is refused and computes no further; meanwhile other models are loaded."""
    with (
        serving(models, tmp_path / "log", *LOOKS, "--load-timeout-seconds", "5") as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        write_endless(models / ".aside" / "endless" / "1")
        (models / ".aside" / "endless").rename(models / "endless")
        wait_until(lambda: state(channel, "endless", 1) == Absent.LOADING)
        publish(models, 2)
        wait_until(lambda: newest(channel) == 2)
        assert state(channel, "endless", 1) == Absent.LOADING
        assert check(channel, "endless") == HealthCheckResponse.NOT_SERVING
        wait_until(lambda: state(channel, "endless", 1) == Absent.REFUSED)
        reason = f"{models}/endless/1 did not load within 5 s (the server's --load-timeout-seconds)"
        assert f"refused endless version 1, nothing of it is served: {reason}\n" in process.log.read_text()
        assert refusal(channel, GetModelRequest(model="endless")) == (
            grpc.StatusCode.NOT_FOUND,
            f"model 'endless' is not served: version 1: {reason}",
        )
        time.sleep(0.5)  # for the run to end
        before_s = processor_s(process)
        time.sleep(1)
        assert processor_s(process) - before_s < 0.5


def processor_s(server: Process) -> float:
    """Gives how long a server has computed."""
    fields = Path(f"/proc/{server.popen.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_removed_version_is_retired(models: Path, tmp_path: Path) -> None:
    """A version whose folder is gone is served no longer; a model without any is unknown."""
    publish(models, 2)
    publish(models, 1, "other")
    with (
        serving(models, tmp_path / "log", *LOOKS, "--versions", "all") as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        assert listed(channel, "side") == (["2", "1"], {})
        remove(models, 2)
        wait_until(lambda: listed(channel, "side") == (["1"], {}))
        shutil.rmtree(models / "other")
        wait_until(lambda: listed(channel, "other") == ([], {}))
        assert refusal(channel, GetModelRequest(model="other"))[1] == "there is no model 'other'; this server has side"
        with pytest.raises(grpc.RpcError):
            check(channel, "other")


def test_removed_version_stays_where_what_came_after_is_broken(shared: Path, channel: grpc.Channel, name: str) -> None:
    """A version that was replaced by a broken one of another number serves on, though its own folder is gone."""
    publish_spoilt(shared, 2, name, truncate)
    remove(shared, 1, name)
    wait_until(lambda: state(channel, name, 2) == Absent.REFUSED)
    time.sleep(0.3)  # several looks
    assert classify(channel, 0, name) == 1
    publish(shared, 3, name)
    wait_until(lambda: newest(channel, name) == 3)
    assert listed(channel, name)[0] == ["3"]


def test_empty_folder_changes_nothing(models: Path, tmp_path: Path) -> None:
    """A folder in which nothing is left looks like a volume that is gone: what is served stays."""
    with serving(models, tmp_path / "log", *LOOKS) as process, grpc.insecure_channel(process.address) as channel:
        (models / "side").rename(models / ".side")
        wait_until(lambda: "is empty: a volume that is gone? All stays as it is" in process.log.read_text())
        assert classify(channel, 0) == 1


def test_unwatched_folder_changes_nothing(models: Path, tmp_path: Path) -> None:
    """Without --watch, what was there at the start is what is served."""
    with serving(models, tmp_path / "log") as process, grpc.insecure_channel(process.address) as channel:
        publish(models, 2)
        time.sleep(0.3)
        assert newest(channel) == 1


def test_start_with_a_broken_version_serves_the_one_before(models: Path, tmp_path: Path) -> None:
    """A server that watches starts with what is good, so that a broken version does not keep it from coming back."""
    publish_spoilt(models, 2, "side", truncate)
    with serving(models, tmp_path / "log", *LOOKS) as process, grpc.insecure_channel(process.address) as channel:
        assert classify(channel, 0) == 1
        assert state(channel, "side", 2) == Absent.REFUSED
        assert "ERROR refused side version 2: " in process.log.read_text()


def test_start_with_an_empty_folder_waits_for_models(tmp_path: Path) -> None:
    """A server that watches may start before its first model is there."""
    models = tmp_path / "models"
    models.mkdir()
    with serving(models, tmp_path / "log", *LOOKS) as process, grpc.insecure_channel(process.address) as channel:
        assert refusal(channel, GetModelRequest(model="side"))[1] == "there is no model 'side'; this server has none"
        publish(models, 1)
        wait_until(lambda: listed(channel, "side")[0] == ["1"])
        assert classify(channel, 0) == 1


def test_run_in_flight_ends_on_its_version(shared: Path, server: Process, channel: grpc.Channel) -> None:
    """A request that runs while its version is replaced is answered by that version; then that ends."""
    graphs.slow(shared / ".slow" / "1" / "model.onnx")
    (shared / ".slow").rename(shared / "slow")
    wait_until(lambda: listed(channel, "slow")[0] == ["1"])
    with ThreadPoolExecutor(1) as asking:
        started_s = time.perf_counter()
        infer(channel, work(200))
        steps = int(200 * 2.5 / (time.perf_counter() - started_s))
        running = asking.submit(infer, channel, work(steps))
        time.sleep(0.2)  # for the request to arrive
        graphs.slow(shared / ".2" / "model.onnx")
        (shared / ".2").rename(shared / "slow" / "2")
        wait_until(lambda: newest(channel, "slow") == 2)
        assert infer(channel, work(1)).model_version == "2"
        assert not running.done()
        assert state(channel, "slow", 1) == Absent.UNLOADING
        assert running.result(PATIENCE_S).model_version == "1"
    wait_until(lambda: "ended slow version 1, after its last calls (1)" in server.log.read_text())
    assert state(channel, "slow", 1) == Absent.NOT_CHOSEN


def work(steps: int) -> ModelInferRequest:
    request = raw("INT64", [], [steps], "steps")
    request.model_name = "slow"
    return request


def test_text_in_flight_ends_on_its_version(shared: Path, server: Process, channel: grpc.Channel) -> None:
    """A text that is being written while its version is replaced is written to its end by that version."""
    writers.write_writer(shared / ".aside")
    (shared / ".aside" / "writer").rename(shared / "writer")
    wait_until(lambda: listed(channel, "writer")[0] == ["1"])
    call, count = (
        replies(channel, HONDO, "Generate", GenerateResponse),
        20_000,
    )  # more than is written ahead of its reader
    request = GenerateRequest(prompt="a", max_characters=count, seed=5, stream_interval_ms=0)
    stream = call(request, timeout=LOAD_S)
    first = next(stream)
    writers.write_writer(shared / ".aside", version=2).rename(shared / "writer" / "2")
    wait_until(lambda: newest(channel, "writer") == 2)
    assert state(channel, "writer", 1) == Absent.UNLOADING
    assert next(call(GenerateRequest(prompt="a", max_characters=4), timeout=PATIENCE_S)).version == 2
    responses = [first, *stream]
    text = "".join(each.text for response in responses for each in response.continued)
    tokens, _ = writers.written([writers.START, *writers.encode("a")], count, seed=5)
    assert (first.version, text) == (1, writers.decode(tokens))
    wait_until(lambda: "ended writer version 1, after its last calls (1)" in server.log.read_text())


def of_version(version: int) -> list[Message]:
    """Gives requests for a version by every method that takes one."""
    pixels = raw("UINT8", [1, 8, 8, 1], artifacts.samples()[0].ravel().tolist(), "image")
    pixels.model_name, pixels.model_version = "side", str(version)
    return [
        ClassifyRequest(model="side", version=version, images=PICTURES[:1]),
        GetModelRequest(model="side", version=version),
        ScoreRequest(model="writer", version=version, text="a"),
        pixels,
        ModelMetadataRequest(name="side", version=str(version)),
    ]


def test_two_versions_are_served_at_once(models: Path, tmp_path: Path) -> None:
    """As many of the newest versions are served as the settings say: each to who names it, the newest to others."""
    writers.write_writer(models)
    writers.write_writer(models, version=2)
    publish(models, 2)
    with (
        serving(models, tmp_path / "log", *LOOKS, "--versions", "newest:2") as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        for version in (1, 2):
            answers = [ask(channel, request) for request in of_version(version)]
            assert [answered_by(answer) for answer in answers] == [version] * 4 + [None]
        assert classify(channel, 0) == 2
        publish(models, 3)
        wait_until(lambda: newest(channel) == 3)
        assert (listed(channel, "side")[0], listed(channel, "writer")[0]) == (["3", "2"], ["2", "1"])
        for request in of_version(9):
            code, text = refusal(channel, request)
            assert code is grpc.StatusCode.NOT_FOUND
            assert text.endswith(("has no version 9; this server has 3, 2", "has no version 9; this server has 2, 1"))
        stream = replies(channel, HONDO, "Generate", GenerateResponse)
        assert next(stream(GenerateRequest(version=1), timeout=PATIENCE_S)).version == 1


def answered_by(answer: Message) -> int | None:
    """Gives the version that an answer names."""
    named = getattr(answer, "model_version", None) or getattr(answer, "version", None)
    if named is None and hasattr(answer, "model"):
        named = answer.model.version
    return None if named is None else int(named)
