from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import pytest
from onnx import ModelProto, TensorProto

from export.imports import file
from hondo.errors import InvalidRequest
from serving.runtime.session import Session
from tests.export.imports.conftest import HEIGHT, WIDTH, Write, thirds

PIXELS = np.random.default_rng(0).random((1, 3, HEIGHT, WIDTH), dtype=np.float32)


def logits(model: ModelProto, path: Path) -> np.ndarray:
    onnx.save(model, path)
    return Session.open(path).run({"pixels": PIXELS})["logits"]


def operators(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_weights_beside_the_file_are_brought_in(tmp_path: Path) -> None:
    """External data is in the model once it is read; where it is missing, the text says so."""
    onnx.save(thirds(), tmp_path / "own.onnx", save_as_external_data=True, location="own.data", size_threshold=0)
    model = file.read(tmp_path / "own.onnx")
    assert all(weights.data_location == TensorProto.DEFAULT for weights in model.graph.initializer)
    np.testing.assert_array_equal(logits(model, tmp_path / "one.onnx"), logits(thirds(), tmp_path / "two.onnx"))
    (tmp_path / "own.data").unlink()
    with pytest.raises(InvalidRequest, match=r"own\.onnx cannot be read whole: .*own\.data"):
        file.read(tmp_path / "own.onnx")


@pytest.mark.parametrize("content", [b"no model", b""])
def test_what_is_no_onnx_file_is_refused(content: bytes, tmp_path: Path) -> None:
    """Text and nothing at all are told from a model."""
    (tmp_path / "own.onnx").write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"own\.onnx is no ONNX file"):
        file.read(tmp_path / "own.onnx")


def test_custom_operators_are_refused_by_name(write: Write) -> None:
    """What needs a library of its own is named, with how often it occurs, in branches too."""
    model = thirds()
    model.graph.node[1].domain = "com.acme"
    branch = onnx.helper.make_graph([onnx.helper.make_node("Twist", [], ["x"], domain="com.acme")], "branch", [], [])
    model.graph.node.append(onnx.helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch))
    with pytest.raises(InvalidRequest, match=r"com.acme:Relu \(1 times\), com.acme:Twist \(2 times\)"):
        file.read(write(model))


def test_functions_that_the_file_brings_are_no_custom_operators(write: Write, tmp_path: Path) -> None:
    """An operator that the file itself defines by the standard's is put in its place."""
    model = thirds()
    opset = [onnx.helper.make_opsetid("", 17)]
    body = [onnx.helper.make_node("Relu", ["a"], ["b"])]
    model.functions.append(onnx.helper.make_function("own", "Cut", ["a"], ["b"], body, opset))
    model.opset_import.append(onnx.helper.make_opsetid("own", 1))
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type, relu.domain = "Cut", "own"
    read = file.read(write(model))
    assert operators(read) == operators(thirds())
    np.testing.assert_array_equal(logits(read, tmp_path / "one.onnx"), logits(thirds(), tmp_path / "two.onnx"))


def test_an_old_opset_is_brought_up(write: Write, tmp_path: Path) -> None:
    """A file of opset 9 becomes one of the opset that everything here is in, and computes the same."""
    old = thirds(opset=9)
    read = file.read(write(old))
    assert [each.version for each in read.opset_import] == [20]
    np.testing.assert_array_equal(logits(read, tmp_path / "one.onnx"), logits(old, tmp_path / "two.onnx"))


def test_a_current_opset_stays(write: Write) -> None:
    """What needs no conversion is not converted."""
    assert [each.version for each in file.read(write(thirds(opset=15))).opset_import] == [15]


def test_weights_listed_as_inputs_are_no_inputs(write: Write) -> None:
    """Files of the format's third version list their weights among the inputs: only the pictures are one."""
    model = thirds()
    model.ir_version = 3
    for weights in model.graph.initializer:
        model.graph.input.append(onnx.helper.make_tensor_value_info(weights.name, weights.data_type, weights.dims))
    assert [taken.name for taken in file.read(write(model)).graph.input] == ["pixels"]


def test_a_batch_norm_is_folded_into_its_convolution(write: Write, tmp_path: Path) -> None:
    """No norm is left behind a convolution, and the sums are the same."""
    normed = thirds(norm=True)
    read = file.read(write(normed))
    assert "BatchNormalization" not in operators(read)
    np.testing.assert_allclose(
        logits(read, tmp_path / "one.onnx"), logits(normed, tmp_path / "two.onnx"), rtol=1e-5, atol=1e-6
    )
