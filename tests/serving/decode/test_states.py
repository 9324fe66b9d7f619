"""The states of rows: what is written is read again, wherever it lies and whatever moves."""

import asyncio
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from serving.decode import states
from serving.decode.graphs import Graphs
from serving.decode.states import DeviceStates, HostStates
from serving.runtime.device import Device
from tests.serving import writers
from tests.serving.decode.looping import job, looping, tokens

SLOTS = 4


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    return writers.open_graphs(tmp_path_factory.mktemp("writer"))


def on_device(graphs: Graphs, slots: int = SLOTS) -> DeviceStates:
    """Gives states that are handled as on a GPU, but lie here."""
    return DeviceStates(graphs, slots, Device.CPU)


@pytest.mark.parametrize("make", [HostStates, on_device])
def test_rows_keep_their_states(graphs: Graphs, make: type[HostStates]) -> None:
    """However rows are written and moved, each place has what it should; others are untouched."""
    found = make(graphs, SLOTS)
    expected = np.zeros((SLOTS, 2), np.float32)
    random = np.random.default_rng(0)
    for number in range(40):
        place, other = random.integers(0, SLOTS, 2).tolist()
        if number % 3:
            expected[place] = [number, -number]
            found.write(place, [expected[place]])
        else:
            expected[place] = expected[other]
            found.move(other, place)
        for each in range(SLOTS):
            np.testing.assert_array_equal(found.read(each)[0], expected[each])


async def test_loop_runs_on_a_devices_states(graphs: Graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    """With states handled as on a GPU, rows that join, move, wait and leave write what they should."""
    monkeypatch.setattr(states, "of", on_device)
    async with looping(graphs, sizes=(1, 2, 3)) as loop:
        found = await asyncio.gather(*[tokens(loop, job([row], 30 * row, seed=row)) for row in range(1, 9)])
    assert found == [writers.written([row], 30 * row, seed=row)[0] for row in range(1, 9)]


def test_cpu_has_them_at_hand(graphs: Graphs) -> None:
    """A graph that computes here has its states here."""
    assert isinstance(states.of(graphs, SLOTS), HostStates)


def test_graph_that_rearranges_is_what_it_says(tmp_path: Path) -> None:
    """The bytes in the file are those that the onnx package makes of the two nodes."""
    nodes = [
        helper.make_node("Concat", ["before", "fresh"], ["all"], axis=0),
        helper.make_node("Gather", ["all", "rows"], ["after"], axis=0),
    ]
    info = helper.make_tensor_value_info
    inputs = [info("before", TensorProto.FLOAT, ["n", "w"]), info("fresh", TensorProto.FLOAT, ["m", "w"])]
    inputs.append(info("rows", TensorProto.INT64, ["k"]))
    graph = helper.make_graph(nodes, "g", inputs, [info("after", TensorProto.FLOAT, ["k", "w"])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    assert onnx.load_from_string(states._REARRANGE) == model
