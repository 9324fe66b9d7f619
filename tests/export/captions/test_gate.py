"""Legend: N pictures, T tokens."""

from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from export.captions import gate
from export.captions.describer import Describer
from export.captions.gate import Trial
from export.writing.signature import TEMPERATURE, TOP_P, UNIFORM
from hondo.artifact import ENCODE, STEP
from hondo.errors import ParityError
from protos.manifest_pb2 import Captioning
from tests.export.captions.conftest import Change, make_reference, make_run, write
from tests.export.writing.test_gate import input_bypassed
from training.captions.run import CaptionRun, Kept
from training.models.captioner import Cell


def changed(role: str, name: str, by: float) -> Change:
    """Gives what changes one of a graph's weights a little."""

    def change(which: str, model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if (which, tensor.name) == (role, name):
                array = onnx.numpy_helper.to_array(tensor).copy()
                array.flat[3] += by
                tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))
                return
        assert which != role, f"{role} has {[tensor.name for tensor in model.graph.initializer]}"

    return change


def prove(describer: Describer, run: CaptionRun, kept: Kept) -> gate.Proof:
    return gate.prove(describer, make_reference(run), kept.images_NHWC)


@pytest.mark.parametrize("attends", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_graphs_of_every_kind_are_proved(cell: Cell, attends: bool, kept: Kept, tmp_path: Path) -> None:
    """Nets with and without attention, of either cell, see and say in every batch what PyTorch does."""
    run = make_run(cell, attends=attends)
    describer = write(tmp_path, run)
    proof = prove(describer, run, kept)
    assert proof.captions == len(kept.images_NHWC)
    assert max(*proof.looking.values(), *proof.saying.values()) < 2e-5
    assert proof.same_bits
    assert describer.attends == attends


@pytest.mark.parametrize(
    "name",
    [
        "vectors",
        "query.weight",
        "gate.bias",
        "scores",
        "layer.inward",
        "layer.looked",
        "layer.recurrent",
        "from_features",
    ],
)
def test_finds_a_weight_of_step_that_is_a_little_off(name: str, run: CaptionRun, kept: Kept, tmp_path: Path) -> None:
    """One weight that differs by a tenth fails the gate, by another word or by another probability."""
    describer = write(tmp_path, run, changed(STEP, name, 0.1))
    with pytest.raises(ParityError, match=r"graph 'step', batch of 1"):
        prove(describer, run, kept)


def test_finds_a_weight_of_encode_that_is_a_little_off(run: CaptionRun, kept: Kept, tmp_path: Path) -> None:
    """So it does where pictures are looked at."""
    describer = write(tmp_path, run, changed(ENCODE, "net.features.bias", 0.1))
    with pytest.raises(
        ParityError,
        match=r"graph 'encode', batch of 1, pictures from 0 on: '\w+' differs by up to 0\.\d+ from PyTorch's",
    ):
        prove(describer, run, kept)


@pytest.mark.parametrize(("name", "constant"), [(UNIFORM, 0.5), (TEMPERATURE, 1), (TOP_P, 1)])
def test_finds_a_control_that_does_nothing(
    name: str, constant: float, run: CaptionRun, kept: Kept, tmp_path: Path
) -> None:
    """A graph that passes over one of its inputs fails the gate."""
    describer = write(tmp_path, run, input_bypassed(name, constant))
    with pytest.raises(ParityError, match=r"graph 'step', batch of .* row .*: token .* is"):
        prove(describer, run, kept)


def test_never_says_what_stands_for_others(describer: Describer, task: Captioning, kept: Kept) -> None:
    """START and UNKNOWN are neither said nor among the candidates, however unlikely all else is."""
    seen = describer.look(kept.images_NHWC)
    start_N = np.full(len(kept.images_NHWC), task.start)
    said = describer.say(seen, start_N, gate.controls(len(start_N), 40))
    unsaid = [task.start, task.unknown]
    assert not np.isin(said.tokens_NT, unsaid).any()
    assert not np.isin(said.candidate_NTB, unsaid).any()
    assert said.candidate_NTB.shape[2] == 10
    assert np.allclose(said.attention_NTP.sum(2), 1, atol=1e-5)


def test_finds_a_row_that_depends_on_others(
    run: CaptionRun, kept: Kept, describer: Describer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that says something else in other company fails the gate."""
    say = describer.say

    def swayed(seen: object, token_N: np.typing.NDArray[np.int64], how: object) -> object:
        return say(seen, token_N if len(token_N) > 2 else token_N + 3, how)  # type: ignore[arg-type]  # as given

    monkeypatch.setattr(describer, "say", swayed)
    trial = Trial.of(describer, make_reference(run), kept.images_NHWC)
    with pytest.raises(ParityError, match=r"row 0 of 16 against a batch of 1, row 0: token \d+ of"):
        trial.check_company()


def test_finds_another_signature(describer: Describer, task: Captioning) -> None:
    """Graphs of a net of another kind are refused by what they take."""
    with pytest.raises(ParityError, match=r"graph 'encode' must give .*, but gives .*state_cell FP32\[N,14\]"):
        gate.check_signature(describer, make_run("gru").net, task)


def test_a_caption_is_over_at_its_first_end() -> None:
    """What is said after a caption's end does not count."""
    assert gate.ended(np.array([[3, 0, 4, 0], [5, 6, 7, 8]]), 0).tolist() == [[3, 0, 0, 0], [5, 6, 7, 8]]
