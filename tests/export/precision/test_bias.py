from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest
from onnx import ModelProto, TensorProto

from export.precision import bias
from serving.runtime.session import Session


def convolution(groups: int) -> ModelProto:
    """Gives maps f32[N,8,5,5] of numbers f32[N,8,5,5] by a convolution of 1x1, whose averages borders do not change."""
    random = np.random.default_rng(0)
    weights = random.normal(size=(8, 8 // groups, 1, 1)).astype(np.float32)
    constants = {"weights": weights, "bias": random.normal(size=8).astype(np.float32)}
    node = onnx.helper.make_node("Conv", ["numbers", "weights", "bias"], ["maps"], "conv", group=groups)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "convolution",
        [value("numbers", TensorProto.FLOAT, ["N", 8, 5, 5])],
        [value("maps", TensorProto.FLOAT, ["N", 8, 5, 5])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)


def maps(model: ModelProto, numbers: np.ndarray, path: Path) -> np.ndarray:
    onnx.save(model, path)
    return Session.open(path).run({"numbers": numbers})["maps"]


def constant(model: ModelProto, name: str) -> np.ndarray:
    return onnx.numpy_helper.to_array(next(each for each in model.graph.initializer if each.name == name))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_averages_of_a_rounded_layer_are_the_exact_ones(groups: int, tmp_path: Path) -> None:
    """What rounding the weights takes off each channel on average, its bias gives back."""
    numbers = np.random.default_rng(1).exponential(size=(64, 8, 5, 5)).astype(np.float32)
    exact, path = convolution(groups), tmp_path / "model.onnx"
    corrected = bias.correct(exact, numbers)
    rounded = ModelProto()
    rounded.CopyFrom(corrected)
    next(each for each in rounded.graph.initializer if each.name == "bias").CopyFrom(
        next(each for each in exact.graph.initializer if each.name == "bias")
    )
    average, after, before = (maps(model, numbers, path).mean(axis=(0, 2, 3)) for model in (exact, corrected, rounded))
    np.testing.assert_allclose(after, average, atol=1e-5)
    assert np.abs(before - average).max() > 1e-4, "or there was nothing to correct"


def test_weights_become_what_8_bits_can_say(tmp_path: Path) -> None:
    """Each output's weights are at most 255 values, the largest of them exact."""
    exact = convolution(1)
    rounded = constant(bias.correct(exact, np.ones((32, 8, 5, 5), np.float32)), "weights")
    largest = np.abs(constant(exact, "weights")).max(axis=(1, 2, 3), keepdims=True)
    steps = rounded / (largest / 127)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    np.testing.assert_allclose(np.abs(rounded).max(axis=(1, 2, 3), keepdims=True), largest, rtol=1e-6)


def test_a_channel_of_zeros_stays(tmp_path: Path) -> None:
    """Weights that are all 0 have no step to be divided by."""
    model = convolution(1)
    weights = next(each for each in model.graph.initializer if each.name == "weights")
    array = onnx.numpy_helper.to_array(weights).copy()
    array[3] = 0
    weights.CopyFrom(onnx.numpy_helper.from_array(array, "weights"))
    corrected = bias.correct(model, np.ones((32, 8, 5, 5), np.float32))
    assert not constant(corrected, "weights")[3].any()
    assert constant(corrected, "bias")[3] == constant(model, "bias")[3]


def test_a_graph_without_convolutions_stays_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    """Where there is nothing to correct, nothing is changed and nothing is said."""
    model = convolution(1)
    model.graph.node[0].op_type = "Other"
    assert bias.correct(model, np.ones((32, 8, 5, 5), np.float32)) == model
    assert capfd.readouterr() == ("", "")
