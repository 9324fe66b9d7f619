from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from export.candidate import Candidate
from export.precision import score
from export.precision.choice import Exam, Lowering, Name
from hondo.errors import AccuracyError
from serving.runtime.session import Session
from training.run import Run


def lowering(exam: Exam, max_drop_points: float = 0.5) -> Lowering:
    return Lowering(name=Name.INT8, calibration=exam.inputs[:0], exam=exam, max_drop_points=max_drop_points)


@pytest.fixture
def exam(digits_run: Run) -> Exam:
    return Exam(inputs=digits_run.samples.inputs, labels_N=digits_run.samples.labels_N, data="digits test")


def flipped(path: Path, folder: Path, value: float = -1) -> Session:
    """Gives the graph with its last layer's weights multiplied by a number."""
    model = onnx.load(path)
    gemm = next(node for node in reversed(model.graph.node) if node.op_type == "Gemm")
    weights = next(each for each in model.graph.initializer if each.name == gemm.input[1])
    array = onnx.numpy_helper.to_array(weights) * np.float32(value)
    weights.CopyFrom(onnx.numpy_helper.from_array(array, weights.name))
    onnx.save(model, folder / "flipped.onnx")
    return Session.open(folder / "flipped.onnx")


def test_both_graphs_are_scored_on_the_same_exam(full: Session, made: Candidate, exam: Exam) -> None:
    """The error is the share of the exam that is answered otherwise than its labels say."""
    wrong = (made.reference.answer(exam.inputs).argmax(axis=1) != exam.labels_N).mean()
    before, after = score.compare(full, full, lowering(exam))
    assert before == after
    assert (before.metric, before.unit, before.data) == ("error", "%", "digits test")
    assert before.value == pytest.approx(100 * wrong)
    assert before.samples == len(exam.inputs)
    assert 0 < before.value < 20, "a net that learnt, but not all"


def test_a_drop_beyond_the_limit_is_refused(full_path: Path, full: Session, exam: Exam, tmp_path: Path) -> None:
    """The text has both scores, the drop and the flag that allows more."""
    with pytest.raises(
        AccuracyError,
        match=r"^in int8 error: \d+\.\d\d % of \d+ \(digits test\), \d+\.\d\d % in fp32: \d+\.\d\d points more, "
        r"at most 0\.5 are allowed \(--max-drop\)$",
    ):
        score.compare(full, flipped(full_path, tmp_path), lowering(exam))
    score.compare(full, flipped(full_path, tmp_path), lowering(exam, max_drop_points=100))


def test_without_labels_the_full_graphs_answers_are_right(
    full_path: Path, full: Session, exam: Any, tmp_path: Path
) -> None:
    """Nobody's labels are needed to tell how many answers change."""
    unlabelled = Exam(inputs=exam.inputs, labels_N=None, data="pictures")
    before, after = score.compare(full, full, lowering(unlabelled))
    assert (before.metric, before.value, after.value) == ("answers unlike fp32's", 0, 0)
    with pytest.raises(AccuracyError, match="answers unlike fp32's: "):
        score.compare(full, flipped(full_path, tmp_path), lowering(unlabelled))


def test_no_number_is_a_wrong_answer(full_path: Path, exam: Exam, tmp_path: Path) -> None:
    """A graph that gives no numbers has not said the first class."""
    assert set(score.answers(flipped(full_path, tmp_path, np.nan), exam)) == {-1}
