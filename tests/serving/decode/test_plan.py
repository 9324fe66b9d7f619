"""The sizes of runs: only such as give a row the same bits."""

import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from hondo.errors import InvalidArtifact
from serving.decode import plan
from serving.decode.graphs import Graphs
from serving.runtime.device import Device
from serving.runtime.plan import Wishes
from serving.runtime.session import Session
from tests.serving import captioners, writers
from tests.serving.decode.looping import job, looping, tokens

WISHES = Wishes(threads=1, max_batch_size=8)


def made(graphs: Graphs, device: Device = Device.CPU, wishes: Wishes = WISHES) -> plan.Plan:
    """Gives the plan for the tiny model."""
    return plan.make(graphs, device, writers.golden(), wishes)


def _other_bits_at(path: Path, rows: int) -> None:
    """Alters a graph so that the last bits of its log-probabilities are others in runs of so many rows."""
    model = onnx.load(path)
    for node in model.graph.node:
        node.output[:] = ["as_before" if name == "log_probability" else name for name in node.output]
    first = "tokens" if "prefill" in path.name else "token"
    model.graph.node.extend(
        [
            helper.make_node("Shape", [first], ["rows_1"], start=0, end=1),
            helper.make_node("Equal", ["rows_1", "rows_asked"], ["is_so"]),
            helper.make_node("Where", ["is_so", "a_little_more", "the_same"], ["factor"]),
            helper.make_node("Mul", ["as_before", "factor"], ["log_probability"]),
        ]
    )
    for name, array in (
        ("rows_asked", np.array([rows])),
        ("a_little_more", np.array([1 + 2**-23], np.float32)),
        ("the_same", np.array([1], np.float32)),
    ):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    onnx.save(model, path)


def opened(folder: Path) -> Graphs:
    """Opens the graphs that lie in a folder."""
    return Graphs.of({role: Session.open(folder / f"{role}.onnx", threads=1) for role in ("prefill", "step")})


def test_sizes_go_up_to_the_one_wished_for(tmp_path: Path) -> None:
    """Runs that write have sizes up to the largest batch wished for, whatever that is."""
    graphs = writers.open_graphs(tmp_path)
    assert made(graphs).sizes == (1, 2, 3, 4, 6, 8)
    assert made(graphs, wishes=Wishes(threads=1, max_batch_size=5)).sizes == (1, 2, 3, 4, 5)
    assert made(graphs, wishes=Wishes(threads=1, max_batch_size=1)).sizes == (1,)
    assert made(graphs).read_sizes == (1, 2, 4, 8)


@pytest.mark.parametrize("rows", [1, 3])
async def test_size_with_other_bits_is_not_used(tmp_path: Path, rows: int) -> None:
    """Where a number of rows gives other bits, rows run in a larger batch instead."""
    writers.open_graphs(tmp_path)
    _other_bits_at(tmp_path / "step.onnx", rows)
    found = made(opened(tmp_path))
    assert found.sizes == tuple(size for size in (1, 2, 3, 4, 6, 8) if size != rows)
    async with looping(found.graphs, found.sizes, found.read_sizes) as loop:
        assert await tokens(loop, job([1, 2], 30)) == writers.written([1, 2], 30)[0]


def test_size_with_other_bits_does_not_read(tmp_path: Path) -> None:
    """So it is with runs that read; one job alone always can."""
    writers.open_graphs(tmp_path)
    _other_bits_at(tmp_path / "prefill.onnx", 4)
    assert made(opened(tmp_path)).read_sizes == (1, 2, 8)
    writers.open_graphs(tmp_path)
    _other_bits_at(tmp_path / "prefill.onnx", 1)
    assert made(opened(tmp_path)).read_sizes == (1,)


def test_gpu_is_not_held_to_bits(tmp_path: Path) -> None:
    """A GPU promises no bits: there the sizes are only warmed."""
    writers.open_graphs(tmp_path)
    _other_bits_at(tmp_path / "step.onnx", 3)
    assert 3 in made(opened(tmp_path), Device.CUDA).sizes


def test_graph_that_fails_at_a_size_does_not_load(tmp_path: Path) -> None:
    """What would fail when many ask fails at load."""
    writers.open_graphs(tmp_path)
    model = onnx.load(tmp_path / "step.onnx")
    for node in model.graph.node:
        node.input[:] = ["few_tokens" if name == "token" else name for name in node.input]
    model.graph.node.insert(0, helper.make_node("Reshape", ["token", "three"], ["few_tokens"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([3]), "three"))
    onnx.save(model, tmp_path / "step.onnx")
    with pytest.raises(InvalidArtifact, match="does not run at every batch size"):
        made(opened(tmp_path))


@pytest.mark.parametrize(("wide_s", "narrow_s", "helps"), [(0.79, 1.0, True), (0.81, 1.0, False), (1e-5, 1e-4, False)])
def test_threads_that_do_not_help_are_left_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide_s: float, narrow_s: float, helps: bool
) -> None:
    """A model keeps all cores where they save a fifth of its time, of runs long enough to share; else it has one.

    The times are given: those of a tiny model on a busy machine are noise.
    """
    graphs = writers.open_graphs(tmp_path)
    assert made(graphs).graphs is graphs, "one core leaves nothing to choose"
    took_s = itertools.cycle([wide_s, narrow_s])
    monkeypatch.setattr("serving.decode.plan.best_s", lambda run: (run(), next(took_s))[1])
    found = made(graphs, wishes=Wishes(cores=2, max_batch_size=8)).graphs
    assert (found.step is graphs.step) == helps
    assert (found.prefill is graphs.prefill) == helps


def made_of_captioner(folder: Path, wishes: Wishes) -> tuple[Graphs, plan.Plan]:
    """Gives the graphs of a tiny captioner, and their plan."""
    sessions = captioners.open_sessions(folder)
    graphs = Graphs.of_captioner(sessions)
    return graphs, plan.make(graphs, Device.CPU, captioners.golden_inputs(sessions), wishes)


@pytest.mark.parametrize(("wide_s", "helps"), [(0.79, True), (0.81, False)])
def test_step_of_captions_has_one_core_while_pictures_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide_s: float, *, helps: bool
) -> None:
    """A captioner's step has one core, and all of them for when no picture needs them, where they save a fifth."""
    took_s = itertools.cycle([wide_s, 1.0])
    monkeypatch.setattr("serving.decode.plan.best_s", lambda run: (run(), next(took_s))[1])
    graphs, found = made_of_captioner(tmp_path, Wishes(cores=2, max_batch_size=8))
    assert found.graphs.step is not graphs.step
    assert found.wide is (graphs.step if helps else None)
    assert (found.cores, found.sizes) == (2, (1, 2, 3, 4, 6, 8))


def test_threads_wished_for_are_those_of_every_step(tmp_path: Path) -> None:
    """Who says how many threads compute a run has no other session made."""
    graphs, found = made_of_captioner(tmp_path, Wishes(threads=2, max_batch_size=8))
    assert (found.graphs, found.wide) == (graphs, None)


def test_other_bits_on_all_cores_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step gives a row the same bits, however many cores it has just then."""
    sessions = captioners.open_sessions(tmp_path)
    _other_bits_at(tmp_path / "step.onnx", 4)  # the sessions that are open are as before
    took_s = itertools.cycle([0.5, 1.0])
    monkeypatch.setattr("serving.decode.plan.best_s", lambda run: (run(), next(took_s))[1])
    golden = captioners.golden_inputs(sessions)
    found = plan.make(Graphs.of_captioner(sessions), Device.CPU, golden, Wishes(cores=2, max_batch_size=4))
    assert (found.sizes, found.wide) == ((4,), None)
