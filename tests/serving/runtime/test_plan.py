"""How graphs are planned to run: which share runs, which must not."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from hondo.errors import HondoError
from serving.runtime import plan, sample
from serving.runtime.device import Device
from serving.runtime.plan import Plan, Wishes
from serving.runtime.providers import CPU_PROVIDER
from serving.runtime.session import Session
from tests.serving import graphs


def planned(path: Path, wishes: Wishes | None = None) -> Plan:
    """Plans a bare graph on inputs that are made up."""
    session = Session.open(path)
    return plan.make(session, Device.CPU, sample.made_up(session.inputs), wishes or Wishes(), proved=False)


def test_graphs_that_treat_each_row_by_itself_share_runs(tmp_path: Path) -> None:
    """A free first axis in every input and output, and rows that do not depend on each other: batched."""
    sizes = planned(graphs.same(tmp_path / "model.onnx", "FP32", ["n", 3]), Wishes(max_batch_size=4)).sizes
    assert sizes is not None
    assert sizes.sizes[0] == 1
    assert sizes.largest <= 4


@pytest.mark.parametrize("datatype", sorted(graphs.ELEMENT_TYPES))
def test_every_datatype_can_be_made_up(tmp_path: Path, datatype: str) -> None:
    """Whatever a graph takes, it can be warmed without anybody's data."""
    assert planned(graphs.same(tmp_path / "model.onnx", datatype, ["n", 2])).sizes is not None


def test_graphs_that_mix_rows_never_share_runs(tmp_path: Path) -> None:
    """A free first axis need not be a batch: where a row's answer depends on the rows beside it, each runs alone."""
    nodes = [helper.make_node("CumSum", ["x", "axis"], ["y"])]
    x, y = graphs.tensor("x", "FP32", ["time", 3]), graphs.tensor("y", "FP32", ["time", 3])
    path = graphs.save(tmp_path / "model.onnx", nodes, [x], [y], axis=np.array(0, np.int64))
    assert planned(path).sizes is None


def test_rows_of_any_size_may_have_all_cores(tmp_path: Path) -> None:
    """That a second core saves nothing on a small sample says nothing of large rows: they may have all cores."""
    session = Session.open(graphs.same(tmp_path / "model.onnx", "FP32", ["n", "side"]))
    small = sample.from_golden({"x": np.zeros((2, 3), np.float32)})
    made = plan.make(session, Device.CPU, small, Wishes(cores=2), proved=True)
    assert made.sizes is not None
    assert made.alone is session
    assert made.instances == 2


def test_graphs_with_a_fixed_first_axis_run_alone(tmp_path: Path) -> None:
    """Nothing can be put beside a row where there is room for one only."""
    assert planned(graphs.same(tmp_path / "fixed.onnx", "FP32", [1, 3])).sizes is None
    assert planned(graphs.same(tmp_path / "scalar.onnx", "FP32", [])).sizes is None


def test_graphs_of_unknown_shape_run_alone(tmp_path: Path) -> None:
    """Free dimensions behind the first cannot be made up, so nothing is known of such rows."""
    assert planned(graphs.add(tmp_path / "model.onnx")).sizes is None


def test_graphs_that_fail_on_made_up_inputs_run_alone(tmp_path: Path) -> None:
    """A bare graph that does not run on random rows is served all the same, without batching."""
    assert planned(graphs.linear_classifier(tmp_path / "model.onnx", np.ones((64, 4), np.float32), 8, 7)).sizes is None


def test_what_the_user_settles_is_kept(tmp_path: Path) -> None:
    """Threads and instances are measured only where they were left open."""
    path = graphs.same(tmp_path / "model.onnx", "FP32", ["n", 3])
    assert planned(path, Wishes(instances=3)).instances == 3
    assert planned(path, Wishes(instances=0)).instances == 0
    assert planned(path, Wishes(max_batch_size=1)).sizes is not None


def test_only_rows_of_one_size_run_on_the_event_loop(tmp_path: Path) -> None:
    """A short run of a small sample says nothing of rows that requests may make large: those leave the loop free."""
    fixed = planned(graphs.same(tmp_path / "fixed.onnx", "UINT8", ["n", 3]))
    assert fixed.instances == 0
    session = Session.open(graphs.same(tmp_path / "free.onnx", "UINT8", ["n", "width"]))
    small = sample.from_golden({"x": np.zeros((2, 3), np.uint8)})
    assert plan.make(session, Device.CPU, small, Wishes(), proved=True).instances >= 1


def test_a_proved_graph_that_does_not_run_is_refused(tmp_path: Path) -> None:
    """An artifact whose graph fails at a batch size does not load: its requests would fail one day."""
    nodes = [
        helper.make_node("Shape", ["x"], ["rows"], end=1),
        helper.make_node("Gather", ["table", "rows"], ["factor"]),  # fails beyond the table's two entries
        helper.make_node("Mul", ["x", "factor"], ["y"]),
    ]
    x, y = graphs.tensor("x", "FP32", ["n", 3]), graphs.tensor("y", "FP32", ["n", 3])
    path = graphs.save(tmp_path / "model.onnx", nodes, [x], [y], table=np.ones(2, np.float32))
    session = Session.open(path)
    with pytest.raises(HondoError, match="does not run at"):
        plan.make(session, Device.CPU, sample.made_up(session.inputs), Wishes(), proved=True)


@pytest.mark.parametrize(("instances", "expected"), [(None, 2), (0, 2), (3, 6)])
def test_each_device_has_a_session(tmp_path: Path, instances: int | None, expected: int) -> None:
    """On several devices there is a session on each, with as many runs side by side, and none on the event loop."""
    both = Device(CPU_PROVIDER, (0, 1))
    session = Session.open(graphs.same(tmp_path / "model.onnx", "FP32", ["n", 3]))
    wishes = Wishes(cores=1, instances=instances)
    made = plan.make(session, both, sample.made_up(session.inputs), wishes, proved=False)
    assert [each.device.number for each in made.sessions] == [0, 1]
    assert (made.instances, len(made.runners)) == (expected, expected)
    assert {runner.session for runner in made.runners} == set(made.sessions)


def test_requests_that_run_alone_have_every_device(tmp_path: Path) -> None:
    """Where rows must not share a run, requests still go to all devices."""
    session = Session.open(graphs.add(tmp_path / "model.onnx"))
    made = plan.make(session, Device(CPU_PROVIDER, (0, 1)), None, Wishes(), proved=False)
    assert (made.sizes, made.instances, len(made.sessions)) == (None, 2, 2)
