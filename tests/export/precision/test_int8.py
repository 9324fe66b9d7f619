from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from export.candidate import Candidate
from export.precision import int8
from serving.runtime.session import Session
from tests.export.precision.conftest import answers
from training.data.dataset import DataSet, Raw
from training.run import Run


@pytest.fixture(scope="module")
def quantised(full_path: Path, data: DataSet[Raw], digits_run: Run) -> ModelProto:
    train = data.train.fit(digits_run.task)
    return int8.quantise(onnx.load(full_path), train.inputs[:256])


def test_every_layer_computes_in_8_bits(quantised: ModelProto) -> None:
    """Each convolution and linear layer takes unsigned activations and signed weights with a scale for each output."""
    graph = quantised.graph
    made_by = {name: node for node in graph.node for name in node.output}
    constants = {each.name: each for each in graph.initializer}
    layers = [node for node in graph.node if node.op_type in {"Conv", "Gemm"}]
    assert len(layers) == 4
    for layer in layers:
        activation, weights = (made_by[name] for name in layer.input[:2])
        assert (activation.op_type, weights.op_type) == ("DequantizeLinear", "DequantizeLinear")
        assert constants[activation.input[2]].data_type == TensorProto.UINT8
        assert constants[weights.input[0]].data_type == TensorProto.INT8
        assert len(constants[weights.input[1]].float_data or constants[weights.input[1]].raw_data) > 4


def test_activation_functions_vanish_into_the_rounding(quantised: ModelProto) -> None:
    """What rounds to 0..6 or to 0 and more needs no other limit."""
    assert {"Relu", "Clip", "BatchNormalization"}.isdisjoint(node.op_type for node in quantised.graph.node)


def test_the_softmax_is_not_rounded(quantised: ModelProto) -> None:
    """The last layer's sums reach the softmax as they are, and probabilities leave it so; nothing is left over."""
    graph = quantised.graph
    made_by = {name: node for node in graph.node for name in node.output}
    softmax = next(node for node in graph.node if node.op_type == "Softmax")
    assert made_by[softmax.input[0]].op_type == "Gemm"
    assert list(softmax.output) == ["probabilities"]
    used = {name for node in graph.node for name in node.input}
    assert {each.name for each in graph.initializer} <= used


def test_answers_stay_about_the_same(quantised: ModelProto, full: Session, made: Candidate, tmp_path: Path) -> None:
    """The tensors are the same, and the probabilities are near, though not equal."""
    onnx.save(quantised, tmp_path / "int8.onnx")
    onnx.checker.check_model(tmp_path / "int8.onnx", full_check=True)
    session = Session.open(tmp_path / "int8.onnx")
    assert (session.inputs, session.outputs) == (full.inputs, full.outputs)
    found, expected = answers(session, made.samples), answers(full, made.samples)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.97
    assert 0 < np.abs(found - expected).mean() < 0.02


def test_the_quantiser_says_nothing(
    full_path: Path, made: Candidate, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its advice, which nobody can follow, reaches neither the terminal nor the log."""
    int8.quantise(onnx.load(full_path), made.samples[:64])
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
