"""The bench for GPUs, run on the CPU: its nets are what they say, and its table has every case."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from serving.bench import nets
from serving.bench.cuda import bench
from serving.runtime.session import Session


@pytest.mark.parametrize("precision", nets.PRECISIONS)
def test_resnet50_is_one(precision: str, tmp_path: Path) -> None:
    """It has the published net's 25.6 million weights, without those that normalise, and gives probabilities."""
    path = nets.write(tmp_path, "resnet50", precision)
    weights = [onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer]
    # torchvision's has 25,557,032; of the two that normalise each of 26,560 channels, one is left: the bias.
    assert sum(each.size for each in weights if each.size > 1) == 25_557_032 - 26_560
    assert {each.dtype for each in weights} == {nets.PRECISIONS[precision]}
    pictures = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    probabilities_NK = Session.open(path).run({"image": pictures})["probabilities"]
    assert probabilities_NK.shape == (2, 1000)
    np.testing.assert_allclose(probabilities_NK.astype(np.float64).sum(axis=1), 1, atol=5e-3)


@pytest.mark.parametrize("precision", nets.PRECISIONS)
def test_step_is_that_of_an_lstm(precision: str, tmp_path: Path) -> None:
    """Each layer's next cell and hidden state are those of the published equations, on the weights in the file."""
    path = nets.write(tmp_path, "lstm", precision)
    weights = [onnx.numpy_helper.to_array(each).astype(np.float64) for each in onnx.load(path).graph.initializer]
    embedding, *layers, head, head_bias = weights
    random, kind = np.random.default_rng(0), nets.PRECISIONS[precision]
    states = {name: random.standard_normal((3, 512)).astype(kind) for name in ("h0", "c0", "h1", "c1")}
    token = np.array([0, 7, 64])
    found = {
        name: array.astype(np.float64) for name, array in Session.open(path).run({"token": token, **states}).items()
    }
    x = embedding[token]
    for layer, (matrix, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
        gates = np.concatenate([x, states[f"h{layer}"].astype(np.float64)], axis=1) @ matrix.T + bias
        forget, enter, leave = (1 / (1 + np.exp(-each)) for each in np.split(gates, 4, axis=1)[:3])
        cell = forget * states[f"c{layer}"] + enter * np.tanh(np.split(gates, 4, axis=1)[3])
        x = leave * np.tanh(cell)
        np.testing.assert_allclose(found[f"next_c{layer}"], cell, atol=1e-2)
        np.testing.assert_allclose(found[f"next_h{layer}"], x, atol=1e-2)
    logits = x @ head.T + head_bias
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found["log_probability"], expected, atol=2e-2)


def test_table_has_every_case() -> None:
    """Each net, precision, switch and batch has a line with figures, and the first line names what computed."""
    asked = [
        "--device",
        "cpu",
        "--net",
        "lstm",
        "--batch",
        "1",
        "--batch",
        "2",
        "--seconds",
        "0.2",
        "--concurrency",
        "2",
    ]
    ran = CliRunner().invoke(bench, [*asked, "--precision", "fp32"], catch_exceptions=False)
    head, _, *table = ran.stdout.splitlines()
    assert head.startswith("cpu: ")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    assert [line[:4] for line in cells] == [
        ["lstm", "fp32", "off", "1"],
        ["lstm", "fp32", "off", "2"],
        ["lstm", "fp32", "off (not recordable)", "1"],
        ["lstm", "fp32", "off (not recordable)", "2"],
    ]
    assert all(float(line[6]) > 0 for line in cells)
