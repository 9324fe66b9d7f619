"""On an NVIDIA GPU: it computes what the CPU computes, in buffers and CUDA graphs, and nothing falls back unnoticed."""

import asyncio
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from hondo.artifact import Tensors
from hondo.errors import DeviceUnavailable, InvalidArtifact
from serving.batching.batcher import Batcher, Queueing
from serving.catalog.catalog import Catalog
from serving.decode.graphs import Graphs
from serving.decode.loops import Loops
from serving.decode.plan import Plan as DecodePlan
from serving.decode.states import DeviceStates
from serving.runtime import locked, plan, runner, sample
from serving.runtime.device import Device, choose
from serving.runtime.plan import Wishes
from serving.runtime.providers import CPU_PROVIDER, CUDA_PROVIDER, Acceleration
from serving.runtime.runner import Bound
from serving.runtime.session import Session
from serving.settings import ModelSettings, Settings
from serving.telemetry.metrics import Metrics
from tests.serving import artifacts, edges, graphs, tables, words, writers
from tests.serving.asking import infer
from tests.serving.decode.looping import job, tokens
from tests.serving.process import serving
from tests.serving.runtime.test_placement import shaped
from tests.serving.telemetry.test_metrics import pick

pytestmark = pytest.mark.gpu

HOW = [Acceleration(), Acceleration(graphs=True), Acceleration(graphs=True, tf32=False, nhwc=True, memory_mb=512)]


def convolution(path: Path) -> Path:
    """Writes y f32[n,4,8,8] = relu(x f32[n,3,8,8] convolved), which runs on the GPU as a whole."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["y"], name="relu"),
    ]
    x, y = graphs.tensor("x", "FP32", ["n", 3, 8, 8]), graphs.tensor("y", "FP32", ["n", 4, 8, 8])
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    return graphs.save(path, nodes, [x], [y], w=weights)


def pictures(count: int) -> Tensors:
    return {"x": np.random.default_rng(count).standard_normal((count, 3, 8, 8)).astype(np.float32)}


def check(found: NDArray[np.generic], expected: NDArray[np.generic]) -> None:
    """Holds numbers of a GPU, which may multiply with 10 bits, against those of the CPU."""
    np.testing.assert_allclose(found.astype(np.float64), expected.astype(np.float64), 2e-2, 2e-2)


def opened(path: Path, how: Acceleration | None = None) -> Session:
    return Session.open(path, choose("cuda"), how=how)


@pytest.mark.parametrize("how", HOW)
def test_a_session_gives_what_the_cpu_gives(how: Acceleration, tmp_path: Path) -> None:
    """The provider takes all of our options, and the numbers are those of the CPU."""
    path = convolution(tmp_path / "g.onnx")
    session, here = opened(path, how), Session.open(path)
    assert session.device.is_cuda
    assert session.captures is how.graphs
    for count in (1, 5, 2):
        check(session.run(pictures(count))["y"], here.run(pictures(count))["y"])


def test_an_option_that_cuda_does_not_know_is_refused(tmp_path: Path) -> None:
    """A misspelt option of the provider is an error that names it."""
    with pytest.raises(InvalidArtifact, match="no_such_option"):
        opened(convolution(tmp_path / "g.onnx"), Acceleration(options={"no_such_option": "1"}))
    with pytest.raises(DeviceUnavailable, match="no_such_option"):
        choose("cuda", options={"no_such_option": "1"})


def test_a_gpu_that_is_not_there_is_refused() -> None:
    """A number beyond the GPUs of this machine is refused before anything loads."""
    with pytest.raises(DeviceUnavailable, match="--device cuda:99 was asked for"):
        choose("cuda:99")


@pytest.mark.parametrize("how", HOW)
def test_buffers_give_what_the_cpu_gives(how: Acceleration, tmp_path: Path) -> None:
    """In page-locked buffers, with and without CUDA graphs, again and again at every size: the CPU's numbers."""
    path = convolution(tmp_path / "g.onnx")
    here, runs = Session.open(path), runner.of(opened(path, how), 8)
    assert isinstance(runs, Bound)
    for size in (1, 2, 4, 8):
        runs.warm(pictures(size))
    for turn in range(20):
        parts = [pictures(count) for count in ((1,), (1, 2), (3, 1), (5, 2), (8,))[turn % 5]]
        rows = sum(len(part["x"]) for part in parts)
        found = runs.run(parts, {1: 0, 3: 1, 4: 0, 7: 1, 8: 0}[rows], ["y"])["y"][:rows]
        expected = np.concatenate([here.run(part)["y"] for part in parts])
        check(found, expected)


def test_buffers_are_page_locked(caplog: pytest.LogCaptureFixture) -> None:
    """CUDA locks the pages of an array, and nothing is logged."""
    choose("cuda")
    array = locked.array((1024, 1024), np.float32, Device.CUDA)
    assert not array.any()
    assert caplog.records == []


def test_a_graph_with_nodes_on_the_cpu_is_not_recorded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where CUDA cannot record a graph, it runs without, and the log says why."""
    caplog.set_level("INFO")
    session = opened(graphs.slow(tmp_path / "g.onnx"), Acceleration(graphs=True, cpu_fallback=True))
    assert session.captures is False
    assert session.run({"steps": np.array(3)})["y"] == 3
    assert any("runs without CUDA graphs" in record.message for record in caplog.records)


def test_nodes_that_cuda_lacks_are_refused(tmp_path: Path) -> None:
    """Texts have no place on a GPU: the error names the nodes; allowed, they run on the CPU."""
    path = graphs.join(tmp_path / "g.onnx")
    with pytest.raises(InvalidArtifact, match=r"would run on the CPU, not on cuda.*StringConcat"):
        opened(path)
    session = opened(path, Acceleration(cpu_fallback=True))
    feeds = {"name": np.array([["a", "b"]], object), "number": np.array([[1, 2]], np.int64)}
    assert session.run(feeds)["text"].tolist() == [["a1", "b2"]]


def test_nodes_that_work_on_shapes_are_not_refused(tmp_path: Path) -> None:
    """What ONNX Runtime puts on the CPU on purpose, to work out shapes, does not make a graph refused."""
    session = opened(shaped(tmp_path / "g.onnx"))
    assert session.run({"x": np.ones((3, 4), np.float32)})["y"].tolist() == [[4, 4]] * 6


@pytest.mark.parametrize("halves", [False, True])
async def test_a_batcher_runs_on_the_gpu(halves: bool, tmp_path: Path) -> None:
    """Requests of many callers share runs on the GPU, in 32 and in 16 bits, and each gets its own rows."""
    path = convolution(tmp_path / "g.onnx")
    here = Session.open(path)
    if halves:
        model = onnx.load(path)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
        weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).astype(np.float16)
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))
        onnx.save(model, path)
    kind = np.float16 if halves else np.float32
    session = opened(path, Acceleration(graphs=True))
    wishes = Wishes(max_batch_size=8, acceleration=Acceleration(graphs=True))
    made = plan.make(session, session.device, sample.made_up(session.inputs), wishes, proved=True)
    batcher = Batcher(made, Queueing(), Metrics().tally("model", 1, "model"))
    asked = [{"x": pictures(1 + number % 3)["x"].astype(kind)} for number in range(40)]
    found = await asyncio.gather(*[batcher.run(each, ["y"]) for each in asked])
    await asyncio.to_thread(batcher.close)
    for feeds, outputs in zip(asked, found, strict=True):
        expected = here.run({"x": feeds["x"].astype(np.float32)})["y"]
        check(outputs["y"], expected)


@pytest.mark.parametrize("graphs_on", [False, True])
async def test_rows_write_on_the_gpu(graphs_on: bool, tmp_path: Path) -> None:
    """The decode loop keeps its states on the GPU, joins, moves and leaves rows there, and writes what it should."""
    here = writers.open_graphs(tmp_path)
    how = Acceleration(graphs=graphs_on, cpu_fallback=True)
    opened_again = Graphs.of({role: opened(session.path, how) for role, session in here.by_role.items()})
    loops = Loops(DecodePlan(opened_again, (1, 2, 4), (1, 2)), Queueing(), Metrics().decode_tally("model", 1))
    try:
        assert isinstance(loops._loops[0]._batch._states, DeviceStates)
        jobs = [job([row], 30 * row, seed=row) for row in range(1, 9)]
        found = await asyncio.gather(*[tokens(loops._loops[0], each) for each in jobs])
    finally:
        loops.close()
    assert found == [writers.written([row], 30 * row, seed=row)[0] for row in range(1, 9)]


@pytest.mark.parametrize("graphs_on", [False, True])
def test_artifacts_load_and_hold_their_golden_samples(graphs_on: bool, tmp_path: Path) -> None:
    """Artifacts of every kind that computes on numbers load on the GPU, which proves them against their samples."""
    artifacts.write_classifier(tmp_path)
    tables.write_classifier(tmp_path)
    words.write_classifier(tmp_path)
    edges.write_detector(tmp_path)
    settings = Settings(model=ModelSettings(cuda_graphs=graphs_on, cpu_fallback=True))
    for model in Catalog.load(tmp_path, choose("cuda"), settings):
        assert all(session.device.is_cuda for session in model.sessions.values())


def test_a_server_answers_from_the_gpu(tmp_path: Path) -> None:
    """`hondo serve --device cuda` says that it runs there, and answers."""
    import grpc

    graphs.pick(tmp_path / "pick" / "1" / "model.onnx")
    with serving(tmp_path, tmp_path / "log", "--device", "cuda", "--cpu-fallback") as server:
        assert "device cuda" in server.log.read_text()
        with grpc.insecure_channel(server.address) as channel:
            infer(channel, pick(0, 2))


@pytest.mark.skipif(
    "TensorrtExecutionProvider" not in onnxruntime.get_available_providers(), reason="needs TensorRT's provider"
)
def test_tensorrt_gives_what_the_cpu_gives(tmp_path: Path) -> None:
    """`--provider tensorrt` computes the same, on the GPU asked for."""
    try:
        device = choose("cuda:0", "tensorrt")
    except DeviceUnavailable as error:
        pytest.skip(f"needs TensorRT: {error}")
    path = convolution(tmp_path / "g.onnx")
    found = Session.open(path, device).run(pictures(2))["y"]
    check(found, Session.open(path).run(pictures(2))["y"])


def test_several_gpus_each_have_a_session(tmp_path: Path) -> None:
    """With two GPUs, both compute; with one, this is skipped."""
    try:
        both = choose("cuda:0,cuda:1")
    except DeviceUnavailable as error:
        pytest.skip(f"needs two GPUs: {error}")
    session = Session.open(convolution(tmp_path / "g.onnx"), both.each[0])
    made = plan.make(session, both, sample.made_up(session.inputs), Wishes(max_batch_size=4), proved=True)
    expected = Session.open(session.path).run(pictures(3))["y"]
    assert [each.session.device for each in made.runners] == [Device(CUDA_PROVIDER, (number,)) for number in (0, 1)]
    for each in made.runners:
        check(each.run([pictures(3)], 1, ["y"])["y"][:3], expected)
    assert CPU_PROVIDER not in {each.device.provider for each in made.sessions}
