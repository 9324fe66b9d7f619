"""How many answers of a graph are wrong, by the session that serves, and what lowering it may cost.

Legend: N examples, K classes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from export import signature
from export.precision.choice import Exam, Lowering
from hondo.errors import AccuracyError
from protos.manifest_pb2 import Score
from serving.runtime.session import Session

_BATCH: Final = 32
# What is scored where nobody knows the right classes.
UNLIKE_FULL: Final = "answers unlike fp32's"


def compare(full: Session, lowered: Session, lowering: Lowering) -> tuple[Score, Score]:
    """Gives the score of the graph in 32-bit floats and that of the lowered one, on the same exam.

    Raises:
        AccuracyError: the lowered one answers more of it wrongly than is allowed.
    """
    exam = lowering.exam
    full_N = answers(full, exam)
    right_N = full_N if exam.labels_N is None else exam.labels_N
    scores = _score(full_N, right_N, exam), _score(answers(lowered, exam), right_N, exam)
    _check(*scores, lowering)
    return scores


def answers(session: Session, exam: Exam) -> NDArray[np.int64]:
    """Gives the most probable class of each of an exam's examples."""
    taken = session.inputs[0].name
    starts = range(0, len(exam.inputs), _BATCH)
    batches = [session.run({taken: exam.inputs[start : start + _BATCH]}) for start in starts]
    probabilities_NK = np.concatenate([batch[signature.PROBABILITIES] for batch in batches])
    # What is no number must not count as the best.
    return np.where(np.isnan(probabilities_NK).any(axis=1), -1, probabilities_NK.argmax(axis=1))


def _score(found_N: NDArray[np.int64], right_N: NDArray[np.int64], exam: Exam) -> Score:
    wrong = int((found_N != right_N).sum())
    metric = UNLIKE_FULL if exam.labels_N is None else "error"
    return Score(metric=metric, value=100 * wrong / len(right_N), unit="%", data=exam.data, samples=len(right_N))


def _check(full: Score, lowered: Score, lowering: Lowering) -> None:
    drop_points = lowered.value - full.value
    if drop_points > lowering.max_drop_points:
        raise AccuracyError(
            f"in {lowering.name} {lowered.metric}: {lowered.value:.2f} % of {lowered.samples:,} ({lowered.data}), "
            f"{full.value:.2f} % in fp32: {drop_points:.2f} points more, at most {lowering.max_drop_points:g} are "
            "allowed (--max-drop)"
        )
