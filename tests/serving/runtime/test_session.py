from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from hondo.errors import InvalidArtifact, InvalidRequest
from serving.runtime.datatypes import BY_NAME
from serving.runtime.session import Session
from tests.serving import graphs
from tests.serving.values import VALUES


@pytest.mark.parametrize("datatype", VALUES)
@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (2, 0)])
def test_every_datatype_runs(datatype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Arrays of every datatype pass through a graph unchanged, scalars and empty ones too."""
    session = Session.open(graphs.same(tmp_path / "g.onnx", datatype, [None] * len(shape)))
    elements = VALUES[datatype][: int(np.prod(shape, dtype=int))]
    array = np.array(elements, BY_NAME[datatype].numpy).reshape(shape)
    answer = session.run({"x": array})["y"]
    assert (answer.dtype, answer.shape) == (array.dtype, shape)
    assert answer.tolist() == array.tolist()


def test_bf16_runs_from_any_memory(tmp_path: Path) -> None:
    """BF16 arrays need not be contiguous, and the answer owns its memory."""
    session = Session.open(graphs.same(tmp_path / "g.onnx", "BF16", [None, None]))
    array = np.arange(200 * 300, dtype=np.uint16).reshape(200, 300).T
    answers = [session.run({"x": array})["y"] for _ in range(5)]
    for answer in answers:
        assert np.array_equal(answer, array)


def test_signatures_are_the_files(tmp_path: Path) -> None:
    """Names, datatypes and shapes are those of the file; on the wire every free dimension is -1."""
    (signature,) = Session.open(graphs.same(tmp_path / "g.onnx", "INT16", [2, "n", None])).inputs
    assert (signature.name, signature.datatype.name) == ("x", "INT16")
    assert signature.shape == (2, "n", None)
    assert signature.wire_shape == [2, -1, -1]


def test_wanted_outputs_come_in_their_order(tmp_path: Path) -> None:
    """Outputs come as asked for: all, or the named ones in the order named."""
    session = Session.open(graphs.join(tmp_path / "g.onnx"))
    feeds = {"name": np.array([["a", "b"]], object), "number": np.array([[1, 2]], np.int64)}
    assert list(session.run(feeds)) == ["text", "double"]
    assert list(session.run(feeds, ["double", "text"])) == ["double", "text"]
    assert list(session.run(feeds, ["text"])) == ["text"]
    assert session.run(feeds)["text"].tolist() == [["a1", "b2"]]
    assert session.run(feeds)["double"].tolist() == [[2, 4]]


def test_metadata_is_the_files(tmp_path: Path) -> None:
    """What the file says of itself can be read."""
    import onnx

    path = graphs.same(tmp_path / "g.onnx", "FP32", ["n"])
    model = onnx.load(path)
    helper.set_model_props(model, {"hondo.name": "same"})
    onnx.save(model, path)
    assert Session.open(path).metadata == {"hondo.name": "same"}


def test_arrays_that_do_not_fit_are_the_callers_mistake(tmp_path: Path) -> None:
    """What ONNX Runtime itself refuses as an argument is an InvalidRequest."""
    session = Session.open(graphs.pick(tmp_path / "g.onnx"))
    assert session.run({"index": np.array([2, 0])})["y"].tolist() == [12, 10]
    with pytest.raises(InvalidRequest, match="does not take these tensors"):
        session.run({"index": np.array([3])})


@pytest.mark.parametrize("data", [b"", b"no graph", bytes(1000)])
def test_broken_file_is_refused(data: bytes, tmp_path: Path) -> None:
    """A file that ONNX Runtime does not load is an InvalidArtifact that names the file."""
    path = tmp_path / "g.onnx"
    path.write_bytes(data)
    with pytest.raises(InvalidArtifact, match=r"g\.onnx does not load"):
        Session.open(path)


def test_type_without_a_name_is_refused(tmp_path: Path) -> None:
    """A tensor type for which the protocol has no name is refused when the file loads, not when a request comes."""
    float8 = TensorProto.FLOAT8E4M3FN
    x, y = (helper.make_tensor_value_info(name, float8, ["n"]) for name in "xy")
    path = graphs.save(tmp_path / "g.onnx", [helper.make_node("Identity", ["x"], ["y"])], [x], [y])
    with pytest.raises(InvalidArtifact, match=r"'x' is of type tensor\(float8e4m3fn\)"):
        Session.open(path)


def test_sequence_is_refused(tmp_path: Path) -> None:
    """What is no tensor cannot cross the wire: refused when the file loads."""
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, ["n"])
    path = graphs.save(tmp_path / "g.onnx", [node], [graphs.tensor("x", "FP32", ["n"])], [sequence])
    with pytest.raises(InvalidArtifact, match="'y' is of type seq"):
        Session.open(path)


def test_threads_share_a_session(tmp_path: Path) -> None:
    """Runs side by side each get their own answer."""
    session = Session.open(graphs.add(tmp_path / "g.onnx"))

    def ask(number: int) -> bool:
        array = np.full((16, 16), number, np.float32)
        answers = [session.run({"a": array, "b": array})["sum"] for _ in range(50)]
        return all((answer == 2 * number).all() for answer in answers)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(4)))
