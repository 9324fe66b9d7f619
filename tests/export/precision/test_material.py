import dataclasses

import pytest

from export.precision import material
from export.precision.choice import Name
from hondo.errors import InvalidRequest
from protos.manifest_pb2 import Classification, DataSource
from training.data.dataset import DataSet, Raw
from training.run import Run


def test_calibration_and_exam_do_not_meet(data: DataSet[Raw], digits_run: Run) -> None:
    """Ranges are measured on training data, and all of the test data is the exam."""
    lowering = material.of_data_set(Name.INT8, data, digits_run.task, digits_run.data, 0.5)
    test = {example.tobytes() for example in data.test.fit(digits_run.task).inputs}
    train = {example.tobytes() for example in data.train.fit(digits_run.task).inputs}
    calibration = {example.tobytes() for example in lowering.calibration}
    assert len(lowering.calibration) == 512
    assert calibration <= train
    assert calibration.isdisjoint(test - train)
    assert len(lowering.exam.inputs) == len(data.test)
    assert lowering.exam.data == "digits test"


def test_data_of_other_labels_is_refused(data: DataSet[Raw], digits_run: Run) -> None:
    """A net for other classes cannot be scored on the data."""
    task = Classification(image=digits_run.task.image, labels=[f"class {n}" for n in range(10)])
    with pytest.raises(InvalidRequest, match="the labels of digits are not the model's"):
        material.of_data_set(Name.INT8, data, task, digits_run.data, 0.5)


def test_data_that_the_net_was_not_trained_on_is_refused(data: DataSet[Raw], digits_run: Run) -> None:
    """Other files may hold in their test data what the net was trained on: hashes tell."""
    trained_on = [DataSource(name="mnist", sha256={"train": "0" * 64})]
    with pytest.raises(InvalidRequest, match="was trained on mnist, and the files of digits given here are others"):
        material.of_data_set(Name.INT8, _hashed(data), digits_run.task, trained_on, 0.5)


def test_a_net_of_unknown_data_is_scored_on_what_is_given(data: DataSet[Raw], digits_run: Run) -> None:
    """Where no hash is known, the user's word is taken."""
    lowering = material.of_data_set(Name.INT8, _hashed(data), digits_run.task, [DataSource(name="imagenet")], 1.5)
    assert lowering.max_drop_points == 1.5


def _hashed(data: DataSet[Raw]) -> DataSet[Raw]:
    return dataclasses.replace(data, source=DataSource(name="digits", sha256={"digits": "1" * 64}))
