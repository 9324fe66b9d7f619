"""Legend: N batch, T tokens."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from numpy.typing import NDArray

from export.writing import gate, signature
from export.writing.reference import Reference
from export.writing.writer import Writer
from hondo.artifact import STEP
from hondo.errors import ParityError
from tests.export.writing.conftest import make_net, write
from training.models.recurrent import Recurrent


def weights_changed(name: str, by: float) -> Callable[[str, onnx.ModelProto], None]:
    """Gives what changes one of a graph's constants a little."""

    def change(_: str, model: onnx.ModelProto) -> None:
        (tensor,) = (each for each in model.graph.initializer if each.name == name)
        array = onnx.numpy_helper.to_array(tensor).copy()
        array.flat[0] += by
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))

    return change


def input_bypassed(name: str, constant: float) -> Callable[[str, onnx.ModelProto], None]:
    """Gives what makes "step" pass over one of its inputs."""

    def change(role: str, model: onnx.ModelProto) -> None:
        if role != STEP:
            return
        shape = onnx.helper.make_node("Shape", [name], [f"{name}_shape"])
        value = onnx.helper.make_tensor("value", onnx.TensorProto.FLOAT, [1], [constant])
        filled = onnx.helper.make_node("ConstantOfShape", [f"{name}_shape"], [f"{name}_filled"], value=value)
        for node in model.graph.node:
            node.input[:] = [f"{name}_filled" if each == name else each for each in node.input]
        model.graph.node.insert(0, filled)
        model.graph.node.insert(0, shape)

    return change


@pytest.mark.parametrize("name", ["vectors", "layer0.recurrent", "layer1.inward", "layer1.recurrent_bias", "output"])
def test_finds_a_weight_that_is_a_little_off(
    name: str, net: Recurrent, text: NDArray[np.int64], tmp_path: Path
) -> None:
    """One weight of thousands that differs by a hundredth fails the gate."""
    with pytest.raises(ParityError, match=r"graph 'prefill', batch of 1: log-probabilities differ by up to .* PyTorch"):
        gate.prove(write(tmp_path, net, weights_changed(name, 0.01)), net, text)


@pytest.mark.parametrize(
    ("name", "constant"),
    [(signature.UNIFORM, 0.5), (signature.TEMPERATURE, 1), (signature.TOP_P, 1)],
)
def test_finds_a_control_that_does_nothing(
    name: str, constant: float, net: Recurrent, text: NDArray[np.int64], tmp_path: Path
) -> None:
    """A graph that passes over one of its inputs fails the gate: what it writes is not what the rule chooses."""
    with pytest.raises(ParityError, match=r"graph 'step', batch of .* row .*: token .* is"):
        gate.prove(write(tmp_path, net, input_bypassed(name, constant)), net, text)


def test_finds_a_row_that_depends_on_others(
    text: NDArray[np.int64], writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that writes something else in other company fails the gate."""
    written = writer.write

    def swayed(token_N: NDArray[np.int64], *more: object) -> object:
        return written(token_N if len(token_N) > 2 else (token_N + 1) % 5, *more)  # type: ignore[arg-type]  # as given

    monkeypatch.setattr(writer, "write", swayed)
    with pytest.raises(ParityError, match=r"row 0 of 16 against a batch of 1, row 0: token \d+ of"):
        gate.check_company(writer, text)


def test_tells_whether_bits_are_the_same(
    text: NDArray[np.int64], writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows whose states differ in the last bit, but that write the same, pass, and that is told."""
    assert gate.check_company(writer, text)
    written = writer.write

    def rounded(token_N: NDArray[np.int64], *more: object) -> object:
        found = written(token_N, *more)  # type: ignore[arg-type]  # as given
        if len(token_N) == 1:
            found.state[0] = np.nextafter(found.state[0], np.float32(2))
        return found

    monkeypatch.setattr(writer, "write", rounded)
    assert not gate.check_company(writer, text)


def test_finds_another_signature(writer: Writer) -> None:
    """Graphs of a net of another size are refused by what they take."""
    with pytest.raises(ParityError, match=r"graph 'prefill' must take .*state_hidden FP32\[N,1,20\].*, but takes "):
        gate.check_signature(writer, make_net(layers=1))


def test_what_is_no_number_fails(net: Recurrent, text: NDArray[np.int64], tmp_path: Path) -> None:
    """A graph that gives no numbers is as wrong as can be."""
    broken = write(tmp_path, net, weights_changed("output_bias", float("nan")))
    with pytest.raises(ParityError, match="log-probabilities differ by up to inf"):
        gate.check_reading(broken, Reference(net), text, 3, gate.TOLERANCE)


def test_rows_are_of_the_whole_text() -> None:
    """Pieces begin far apart, and a short text is gone round."""
    assert gate.pieces(np.arange(9), 3, 2).tolist() == [[0, 1], [3, 4], [6, 7]]
    assert gate.pieces(np.arange(3), 2, 5).tolist() == [[0, 1, 2, 0, 1], [1, 2, 0, 1, 2]]


def test_large_numbers_of_a_state_are_held_to_their_share() -> None:
    """Numbers beyond 1 may differ by a share of themselves, smaller ones by as much as that of 1."""
    expected = np.array([50.0, 0.01])
    assert gate.off_state(np.array([50.004, 0.01]), expected) == pytest.approx(8e-5)
    assert gate.off_state(np.array([50, 0.014]), expected) == pytest.approx(4e-3)
    assert gate.off_state(np.array([np.nan, 0.01]), expected) == np.inf
