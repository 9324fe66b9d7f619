import itertools
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import pytest
from onnx import TensorProto

from export.imports.front import Channels, Front, Layout
from serving.runtime.session import Session

TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3), dtype=np.uint8)


def make(layout: Layout = "nchw", channels: Channels = "rgb", **settings: object) -> Front:
    plain = {"scale": 1.0, "mean": (0.0,), "std": (1.0,), "datatype": np.dtype(np.float32)}
    return Front(layout=layout, channels=channels, **(plain | settings))  # type: ignore[arg-type]  # by name


def run(front: Front, image_NHWC: np.ndarray, path: Path) -> np.ndarray:
    """Gives what ONNX Runtime makes of pictures by the front's nodes."""
    nodes, constants = front.nodes("image", "numbers")
    taken = onnx.helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *image_NHWC.shape[1:]])
    given = onnx.helper.make_tensor_value_info("numbers", TYPES[front.datatype.name], [None] * 4)
    graph = onnx.helper.make_graph(nodes, "front", [taken], [given], constants)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    onnx.checker.check_model(path, full_check=True)
    return Session.open(path).run({"image": image_NHWC})["numbers"]


@pytest.mark.parametrize(
    ("layout", "channels", "datatype", "mean"),
    list(itertools.product(["nchw", "nhwc"], ["rgb", "bgr"], ["float32", "float16"], [(0.5,), (0.4, 0.5, 0.6)])),
)
def test_the_graph_and_numpy_make_the_same_numbers(
    layout: Layout, channels: Channels, datatype: str, mean: tuple[float, ...], tmp_path: Path
) -> None:
    """To the last bit, whatever the order of axes and channels, the type, and one value or one a channel."""
    front = make(layout, channels, scale=1 / 255, mean=mean, std=(0.25,), datatype=np.dtype(datatype))
    expected = front.apply(PICTURES)
    found = run(front, PICTURES, tmp_path / "front.onnx")
    assert found.dtype == expected.dtype == np.dtype(datatype)
    np.testing.assert_array_equal(found, expected)


def test_numbers_follow_the_formula() -> None:
    """(byte * scale - mean) / std, with the mean and deviation of each channel in the file's order."""
    front = make("nchw", "bgr", scale=2.0, mean=(1.0, 2.0, 3.0), std=(1.0, 2.0, 4.0))
    red, green, blue = (PICTURES[..., place].astype(float) for place in range(3))
    expected = np.stack([2 * blue - 1, (2 * green - 2) / 2, (2 * red - 3) / 4], axis=1)
    np.testing.assert_allclose(front.apply(PICTURES), expected)


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    """A file that takes one channel gets one."""
    grey = PICTURES[..., :1]
    front = make("nchw", "grey", scale=1 / 255)
    assert front.apply(grey).shape == (3, 1, 5, 4)
    np.testing.assert_array_equal(run(front, grey, tmp_path / "front.onnx"), front.apply(grey))


def test_settings_that_change_nothing_add_no_node() -> None:
    """A scale of 1, a mean of 0 and a deviation of 1 leave only the transposition and the cast."""
    nodes, constants = make().nodes("image", "numbers")
    assert [node.op_type for node in nodes] == ["Transpose", "Cast"]
    assert not constants


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"mean": (0.1, 0.2)}, "mean has 2 values, 1 or 3 expected"),
        ({"std": (1.0, 0.0, 1.0)}, "std has a 0"),
        ({"datatype": np.dtype(np.uint8), "scale": 0.5}, "the file takes bytes"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], fault: str) -> None:
    """A wrong number of values, a division by 0, and other numbers than bytes where bytes are taken."""
    with pytest.raises(ValueError, match=fault):
        make(**settings)  # type: ignore[arg-type]  # by name
