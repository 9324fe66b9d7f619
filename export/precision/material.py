"""What a lowered graph is calibrated with and scored on, from a data set or from pictures without labels."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.precision.choice import Exam, Lowering, Name
from hondo.errors import InvalidRequest
from protos.manifest_pb2 import Classification, DataSource
from training.data.dataset import DataSet, Raw

# Examples that the ranges of activations are measured on.
CALIBRATION: Final = 512
_SEED: Final = 0


def of_data_set(
    name: Name, data: DataSet[Raw], task: Classification, trained_on: Sequence[DataSource], max_drop_points: float
) -> Lowering:
    """Gives a lowering that is calibrated with training data and scored on all of the test data.

    Args:
        name: the precision.
        data: labelled as the task has it.
        task: of the model.
        trained_on: what the model was trained on, where files are known by their hashes: the same is expected here.
        max_drop_points: so many more percent may be answered wrongly.

    Raises:
        InvalidRequest: the data is not the model's.
    """
    if tuple(data.labels) != tuple(task.labels):
        raise InvalidRequest(f"the labels of {data.name} are not the model's: take the data that it was trained on")
    hashes = [dict(source.sha256) for source in trained_on if source.sha256]
    if hashes and dict(data.source.sha256) not in hashes:
        names = " and ".join(source.name for source in trained_on)
        raise InvalidRequest(
            f"the model was trained on {names}, and the files of {data.name} given here are others: test data must be "
            "what the training never saw, so take the data that it was trained on"
        )
    test = data.test.fit(task)
    chosen_N = np.random.default_rng(_SEED).permutation(len(data.train))[:CALIBRATION]
    return Lowering(
        name=name,
        calibration=data.train.take(chosen_N).fit(task).inputs,
        exam=Exam(inputs=test.inputs, labels_N=test.labels_N, data=f"{data.name} test"),
        max_drop_points=max_drop_points,
    )


def of_pictures(
    name: Name, calibration: NDArray[Any], held_out: NDArray[Any], are: str, max_drop_points: float
) -> Lowering:
    """Gives a lowering that is scored by how often the lowered graph answers as it does in 32-bit floats.

    The share of other answers is the most that the accuracy can drop by, on pictures such as these.

    Args:
        name: the precision.
        calibration: as the graph takes it.
        held_out: likewise, others.
        are: what they are, in words.
        max_drop_points: so many percent may be answered otherwise.
    """
    exam = Exam(inputs=held_out, labels_N=None, data=are)
    return Lowering(name=name, calibration=calibration, exam=exam, max_drop_points=max_drop_points)
