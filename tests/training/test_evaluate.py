import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hondo.errors import ModelNotFound, Unavailable, WrongTask
from protos.manifest_pb2 import DataSource
from tests.serving import artifacts
from tests.serving.process import Process
from tests.training.conftest import hondo
from training.data.dataset import DataSet, Pictures
from training.evaluate import Evaluation, ask


@pytest.fixture
def halves() -> DataSet:
    """What the served classifier `side` tells apart, 130 pictures, one of them with a wrong label."""
    labels_N = np.arange(130) % len(artifacts.LABELS)
    images_NHWC = artifacts.samples()[labels_N]
    labels_N[0] = 3
    pictures = Pictures(images_NHWC, labels_N)
    return DataSet(source=DataSource(name="halves"), labels=artifacts.LABELS, train=pictures, test=pictures)


async def test_scores_every_picture(server: Process, halves: DataSet) -> None:
    """Each test picture is asked about once, and each wrong answer counted by what was taken for what."""
    evaluation = await ask("side", halves, server.address)
    assert (evaluation.pictures, evaluation.wrong) == (130, 1)
    assert evaluation.error_percent == pytest.approx(100 / 130)
    assert evaluation.confused == Counter({("right", "top"): 1})
    assert evaluation.version == 2


async def test_refuses_a_model_of_other_labels(server: Process, halves: DataSet) -> None:
    """A model that does not know the data set's classes is not scored on it."""
    other = DataSet(source=halves.source, labels=("a", "b", "c", "d"), train=halves.train, test=halves.test)
    with pytest.raises(WrongTask, match="the labels of 'side' are not those of halves: a, b, c, d"):
        await ask("side", other, server.address)


async def test_refuses_an_unknown_model(server: Process, halves: DataSet) -> None:
    """A model that is not served is named."""
    with pytest.raises(ModelNotFound, match="absent"):
        await ask("absent", halves, server.address)


async def test_says_that_no_server_answers(halves: DataSet) -> None:
    """Without a server the text says where it was looked for, and how to start one."""
    with pytest.raises(Unavailable, match=r"no server answers at 127\.0\.0\.1:9"):
        await ask("side", halves, "127.0.0.1:9")


def test_command_exits_with_the_reason(server: Process, idx_dir: Path) -> None:
    """The command fails with one line where the model is none for the data."""
    result = hondo("evaluate", "side", "--data", idx_dir, "--server", server.address)
    assert result.exit_code == 1
    assert result.output.startswith("Error: the labels of 'side' are not those of idx")


def test_prints_for_people_and_programs(monkeypatch: pytest.MonkeyPatch, idx_dir: Path) -> None:
    """The score comes with its count and the confused pairs, as text or as one JSON object."""
    confused = Counter({("4", "9"): 3, ("1", "7"): 1})
    evaluation = Evaluation(model="lenet5", version=1, data="mnist", pictures=1000, confused=confused)

    async def answer(*_: object) -> Evaluation:
        return evaluation

    monkeypatch.setattr("training.evaluate.ask", answer)
    text = hondo("evaluate", "lenet5", "--data", idx_dir).output
    assert "lenet5 version 1 on mnist: error 0.40 % (4 of 1,000 test pictures)" in text
    assert "3 x 4 taken for 9" in text
    as_json = json.loads(hondo("evaluate", "lenet5", "--data", idx_dir, "--json").output)
    assert (as_json["wrong"], as_json["error_percent"]) == (4, 0.4)
    assert as_json["confused"][0] == {"label": "4", "answer": "9", "count": 3}
