"""Runners: rows of several requests run together, on new arrays or in buffers that stay, and come out the same."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import helper
from onnxruntime import RunOptions

from hondo.artifact import Tensors
from hondo.errors import InvalidRequest
from serving.runtime import runner
from serving.runtime.device import Device
from serving.runtime.runner import Bound, Plain, Runner
from serving.runtime.session import Session
from tests.serving import graphs

LARGEST = 8


def mixed(path: Path) -> Path:
    """Writes sum f32[n,3] = a f32[n,3] + b f32[n], and twice u8[n,2] = c + c."""
    nodes = [
        helper.make_node("Unsqueeze", ["b", "axis"], ["column"]),
        helper.make_node("Add", ["a", "column"], ["sum"]),
        helper.make_node("Add", ["c", "c"], ["twice"]),
    ]
    inputs = [
        graphs.tensor("a", "FP32", ["n", 3]),
        graphs.tensor("b", "FP32", ["n"]),
        graphs.tensor("c", "UINT8", ["n", 2]),
    ]
    outputs = [graphs.tensor("sum", "FP32", ["n", 3]), graphs.tensor("twice", "UINT8", ["n", 2])]
    return graphs.save(path, nodes, inputs, outputs, axis=np.array([1], np.int64))


def rows(random: np.random.Generator, count: int) -> Tensors:
    """Gives inputs of so many rows."""
    return {
        "a": random.standard_normal((count, 3)).astype(np.float32),
        "b": random.standard_normal(count).astype(np.float32),
        "c": random.integers(0, 100, (count, 2)).astype(np.uint8),
    }


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session.open(mixed(tmp_path_factory.mktemp("mixed") / "g.onnx"))


def captured(session: Session) -> Session:
    """Opens the same graph as one whose runs are recorded, as they are on a GPU; here they are run."""
    return Session(session.path, onnxruntime.InferenceSession(session.path), captures=True)


def bound(session: Session) -> Bound:
    made = Bound(session, LARGEST)
    for size in (1, 2, 4, LARGEST):
        made.warm(rows(np.random.default_rng(size), size))
    return made


@pytest.mark.parametrize("make", [Plain, bound, lambda session: bound(captured(session))])
def test_rows_come_out_as_alone(make: Callable[[Session], Runner], session: Session) -> None:
    """Whatever the parts and the padding, each row's outputs are those that the graph gives it; padding is the last."""
    random, runs = np.random.default_rng(0), make(session)
    for _ in range(50):
        counts = random.integers(1, 4, random.integers(1, 4)).tolist()
        parts = [rows(random, count) for count in counts]
        padding = int(random.choice([0, max(0, LARGEST - sum(counts))]))
        found = runs.run(parts, padding, ["twice", "sum"])
        last = {name: array[-1:] for name, array in parts[-1].items()}
        expected = [session.run(part) for part in (*parts, *[last] * padding)]
        assert list(found) == ["twice", "sum"]
        for name, array in found.items():
            np.testing.assert_array_equal(array, np.concatenate([each[name] for each in expected]))


@pytest.mark.parametrize("make", [bound, lambda session: bound(captured(session))])
def test_answers_are_not_overwritten_by_later_runs(make: Callable[[Session], Bound], session: Session) -> None:
    """What a run gave stays as it is while the buffers are used again."""
    random, runs = np.random.default_rng(0), make(session)
    first = runs.run([rows(random, 2)], 0, ["sum"])["sum"]
    before = first.copy()
    runs.run([rows(random, 2)], 0, ["sum"])
    np.testing.assert_array_equal(first, before)


def test_sizes_that_are_warm_run_in_the_buffers(session: Session) -> None:
    """A size that was warmed needs no session's run on new arrays; another one has such a run."""

    class Counting(Plain):
        runs = 0

        def run(
            self, parts: Sequence[Tensors], padding: int, outputs: Sequence[str], options: RunOptions | None = None
        ) -> Tensors:
            self.runs += 1
            return super().run(parts, padding, outputs, options)

    runs, random = bound(session), np.random.default_rng(0)
    runs._plain = counting = Counting(session)
    runs.run([rows(random, 4)], 0, ["sum"])
    runs.run([rows(random, 3)], 1, ["sum"])
    assert counting.runs == 0
    runs.run([rows(random, 3)], 0, ["sum"])
    assert counting.runs == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": np.ones((2, 1), np.float32)},
        {"a": np.ones((2, 3), np.float64)},
        {"a": np.ones((2, 3, 1), np.float32)},
        {"d": np.ones((2, 3), np.float32)},
    ],
)
def test_rows_that_do_not_fit_are_refused(wrong: Tensors, session: Session) -> None:
    """Rows of another width or type are never stretched to fit: the graph refuses them."""
    good = rows(np.random.default_rng(0), 2)
    with pytest.raises((InvalidRequest, ValueError)):
        bound(session).run([{**good, **wrong}], 0, ["sum"])


@pytest.mark.parametrize(
    ("datatype", "shape", "expected"),
    [
        ("FP32", ["n", 3], True),
        ("FP16", ["n"], True),
        ("BOOL", ["n", 3], True),
        ("BF16", ["n", 3], False),
        ("BYTES", ["n", 3], False),
        ("FP32", ["n", "m"], False),
        ("FP32", [2, 3], False),
        ("FP32", [], False),
    ],
)
def test_only_rows_of_one_size_have_buffers(
    datatype: str, shape: list[int | str], expected: bool, tmp_path: Path
) -> None:
    """Buffers hold numbers, as many in each row; what may be larger, and texts, run on arrays of their own."""
    assert runner.is_sized(Session.open(graphs.same(tmp_path / "g.onnx", datatype, shape))) is expected


def test_the_cpu_needs_no_buffers(session: Session) -> None:
    """Where arrays are read in place, there is nothing to copy them into."""
    assert session.device is Device.CPU
    assert isinstance(runner.of(session, LARGEST), Plain)
