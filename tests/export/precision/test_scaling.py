from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest
from onnx import ModelProto, TensorProto

from export.precision import scaling
from serving.runtime.session import Session

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5), dtype=np.uint8)


def scaled(mean: tuple[float, ...], std: tuple[float, ...], *, twice: bool = False) -> ModelProto:
    """Gives (byte / 255 - mean) / std of u8[N,3,4,5]; what is in between is given too if asked for."""
    constants = {"full": np.float32(255), "mean": _channels(mean), "std": _channels(std)}
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    nodes = [
        make("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        make("Div", ["numbers", "full"], ["parts"]),
        make("Sub", ["parts", "mean"], ["middle"]),
        make("Div", ["middle", "std"], ["out"]),
    ]
    outputs = [value("out", TensorProto.FLOAT, ["N", 3, 4, 5])]
    if twice:
        nodes.append(make("Neg", ["parts"], ["more"]))
        outputs.append(value("more", TensorProto.FLOAT, ["N", 3, 4, 5]))
    graph = onnx.helper.make_graph(
        nodes,
        "scaled",
        [value("image", TensorProto.UINT8, ["N", 3, 4, 5])],
        outputs,
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)


def _channels(values: tuple[float, ...]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 1, 1)


def run(model: ModelProto, path: Path) -> np.ndarray:
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)
    return Session.open(path).run({"image": PICTURES})["out"].astype(np.float32)


@pytest.mark.parametrize(
    ("mean", "std", "shape"),
    [((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (3, 1, 1)), ((127 / 255,) * 3, (128 / 255,) * 3, ())],
)
def test_a_chain_becomes_one_product_and_one_sum(
    mean: tuple[float, ...], std: tuple[float, ...], shape: tuple[int, ...], tmp_path: Path
) -> None:
    """The numbers are the same but for rounding, and constants alike for all channels are one number."""
    exact = scaled(mean, std)
    merged = scaling.merge(exact)
    assert [node.op_type for node in merged.graph.node] == ["Cast", "Mul", "Add"]
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in merged.graph.initializer}
    assert constants["out/factor"].shape == constants["out/shift"].shape == shape
    np.testing.assert_allclose(run(merged, tmp_path / "a.onnx"), run(exact, tmp_path / "b.onnx"), atol=1e-6)


def test_what_somebody_else_takes_stays(tmp_path: Path) -> None:
    """A number in the middle of the chain that is used elsewhere is still computed."""
    exact = scaled((0.5,), (0.25,), twice=True)
    merged = scaling.merge(exact)
    assert [node.op_type for node in merged.graph.node] == [node.op_type for node in exact.graph.node]
    np.testing.assert_allclose(run(merged, tmp_path / "a.onnx"), run(exact, tmp_path / "b.onnx"), atol=1e-6)
