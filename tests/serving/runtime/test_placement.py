"""Where nodes are placed: what would compute on the CPU, though another device was asked for, is found and named."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from hondo.errors import InvalidArtifact
from serving.runtime import placement
from serving.runtime.device import Device
from serving.runtime.placement import Node
from serving.runtime.providers import Acceleration
from serving.runtime.session import Session
from tests.serving import graphs
from tests.serving.runtime.test_device import AZURE, built_with_azure


def shaped(path: Path, *, named: bool = True) -> Path:
    """Writes y = x @ w, then reshaped by numbers that a few nodes work out of x's shape."""
    nodes = [
        helper.make_node("Shape", ["x"], ["sides"]),
        helper.make_node("Gather", ["sides", "zero"], ["rows"]),
        helper.make_node("Constant", [], ["two"], value=onnx.numpy_helper.from_array(np.array(2, np.int64))),
        helper.make_node("Mul", ["rows", "two"], ["double"]),
        helper.make_node("Unsqueeze", ["double", "axis"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["shape"], axis=0),
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Reshape", ["product", "shape"], ["y"]),
    ]
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}" if named else ""
    constants = {"zero": np.array(0, np.int64), "axis": np.array([0], np.int64), "rest": np.array([2], np.int64)}
    x, y = graphs.tensor("x", "FP32", ["n", 4]), graphs.tensor("y", "FP32", ["m", 2])
    return graphs.save(path, nodes, [x], [y], w=np.ones((4, 4), np.float32), **constants)


def harmless(path: Path) -> set[str]:
    """Gives the operators, and the names, of the nodes that may be on the CPU."""
    return {node.name or node.operator for node, is_so in placement.harmless(path).items() if is_so}


def test_what_works_on_shapes_is_harmless(tmp_path: Path) -> None:
    """Nodes that hang on shapes and constants alone may be on the CPU; what takes the data may not."""
    found = harmless(shaped(tmp_path / "g.onnx"))
    assert found == {"Shape_0", "Gather_1", "Constant_2", "Mul_3", "Unsqueeze_4", "Concat_5"}


def test_nodes_without_names_are_known_by_their_operators(tmp_path: Path) -> None:
    """Where nodes have no names, an operator is harmless if all of its nodes are."""
    path = shaped(tmp_path / "g.onnx", named=False)
    assert harmless(path) == {"Shape", "Gather", "Constant", "Mul", "Unsqueeze", "Concat"}
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Mul", ["product", "product"], ["z"]))
    onnx.save(model, path)
    assert "Mul" not in harmless(path)


def test_what_came_in_may_be_rearranged_here(tmp_path: Path) -> None:
    """Tokens may be padded before they go to the device; once something was computed with them, not any more."""
    nodes = [
        helper.make_node("Pad", ["tokens", "pads"], ["padded"], name="front"),
        helper.make_node("Gather", ["words", "padded"], ["said"], name="lookup"),
        helper.make_node("Pad", ["said", "wide"], ["y"], name="behind"),
    ]
    inputs, outputs = [graphs.tensor("tokens", "INT64", ["n", "t"])], [graphs.tensor("y", "FP32", ["n", "u", 3])]
    pads, wide = np.array([0, 1, 0, 1], np.int64), np.array([0, 1, 0, 0, 1, 0], np.int64)
    path = graphs.save(
        tmp_path / "g.onnx", nodes, inputs, outputs, words=np.ones((9, 3), np.float32), pads=pads, wide=wide
    )
    assert harmless(path) == {"front"}


@pytest.mark.parametrize(("rank", "expected"), [(0, True), (1, True), (2, False)])
def test_a_number_for_each_row_may_join_shapes(rank: int, expected: bool, tmp_path: Path) -> None:
    """Inputs of at most a number a row may be compared with shapes on the CPU; larger ones are data."""
    nodes = [
        helper.make_node("Size", ["length"], ["rows"], name="size"),
        helper.make_node("Sub", ["length", "rows"], ["y"], name="sub"),
    ]
    sides = ["n", "m"][:rank]
    inputs, outputs = [graphs.tensor("length", "INT64", sides)], [graphs.tensor("y", "INT64", sides)]
    assert ("sub" in harmless(graphs.save(tmp_path / "g.onnx", nodes, inputs, outputs))) is expected


def test_graphs_within_nodes_are_read(tmp_path: Path) -> None:
    """The nodes of a loop's body are told apart, too."""
    found = placement.harmless(graphs.slow(tmp_path / "g.onnx"))
    assert found[Node("MatMul", "")] is False
    assert {"Loop", "MatMul", "Add", "Identity"} <= {node.operator for node in found}


@pytest.mark.parametrize("data", [b"", b"no graph", b"\x3a\x7f"])
def test_broken_file_is_refused(data: bytes, tmp_path: Path) -> None:
    """What is no ONNX file is said to be none."""
    (tmp_path / "g.onnx").write_bytes(data)
    with pytest.raises(InvalidArtifact, match=r"g\.onnx is no ONNX file"):
        placement.harmless(tmp_path / "g.onnx")


@built_with_azure
def test_what_falls_to_the_cpu_is_refused(tmp_path: Path) -> None:
    """Where nodes are given to the CPU unasked, the error names them and what to do; shapes are not counted."""
    with pytest.raises(InvalidArtifact) as raised:
        Session.open(shaped(tmp_path / "g.onnx"), Device(AZURE))
    text = str(raised.value)
    assert "2 of its nodes would run on the CPU, not on azure" in text
    assert "MatMul (1: MatMul_6); Reshape (1: Reshape_7)" in text
    assert text.endswith("serve it with --device cpu, or allow it with --cpu-fallback")


@built_with_azure
def test_what_falls_to_the_cpu_may_be_allowed(tmp_path: Path) -> None:
    """Told so, a graph runs all the same, and gives what it should."""
    session = Session.open(shaped(tmp_path / "g.onnx"), Device(AZURE), how=Acceleration(cpu_fallback=True))
    assert session.run({"x": np.ones((3, 4), np.float32)})["y"].tolist() == [[4, 4]] * 6


@built_with_azure
def test_a_graph_of_harmless_nodes_is_not_refused(tmp_path: Path) -> None:
    """What ONNX Runtime placed on the CPU on purpose does not make a model refused."""
    nodes = [
        helper.make_node("Shape", ["x"], ["sides"], name="a"),
        helper.make_node("Gather", ["sides", "zero"], ["rows"], name="b"),
        helper.make_node("Mul", ["rows", "rows"], ["y"], name="c"),
    ]
    x, y = graphs.tensor("x", "FP32", ["n", 4]), graphs.tensor("y", "INT64", [])
    path = graphs.save(tmp_path / "g.onnx", nodes, [x], [y], zero=np.array(0, np.int64))
    assert Session.open(path, Device(AZURE)).run({"x": np.ones((3, 4), np.float32)})["y"] == 9


@built_with_azure
def test_a_device_that_fails_is_not_replaced_in_silence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Where a session cannot be made on a device, that is an error: onnxruntime must not go on on the CPU."""
    path = shaped(tmp_path / "g.onnx")
    model = onnx.load(path)
    model.graph.node[-1].op_type = "NoSuchOperator"
    onnx.save(model, path)
    with pytest.raises(InvalidArtifact, match="does not load"):
        Session.open(path, Device(AZURE), how=Acceleration(cpu_fallback=True))
    assert capfd.readouterr().out == ""
