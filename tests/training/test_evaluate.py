import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hondo.client import Client
from hondo.errors import InvalidRequest, ModelNotFound, Unavailable, WrongTask
from protos.manifest_pb2 import DataSource
from tests.hondo.pictures import encode
from tests.serving import artifacts, tables, words
from tests.serving.process import Process
from tests.training.conftest import hondo
from training.data.dataset import DataSet, PictureFiles, Pictures, Raw, Rows, Sentences, image
from training.evaluate import Evaluation, ask


def dataset(test: Raw, labels: tuple[str, ...]) -> DataSet[Raw]:
    return DataSet(DataSource(name="some"), labels, test, test)


@pytest.fixture
def client(server: Process) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


@pytest.fixture
def halves() -> DataSet[Raw]:
    """What the served classifier `side` tells apart, 130 pictures, one of them with a wrong label."""
    labels_N = np.arange(130) % len(artifacts.LABELS)
    images_NHWC = artifacts.samples()[labels_N]
    labels_N[0] = 3
    return dataset(Pictures(images_NHWC, labels_N), artifacts.LABELS)


def test_scores_every_picture(client: Client, halves: DataSet[Raw]) -> None:
    """Each test picture is asked about once, and each wrong answer counted by what was taken for what."""
    evaluation = ask(client, "side", halves)
    assert (evaluation.examples, evaluation.wrong) == (130, 1)
    assert evaluation.error_percent == pytest.approx(100 / 130)
    assert evaluation.confused == Counter({("right", "top"): 1})
    assert evaluation.version == 2
    assert dict(evaluation.asked) == {"top": 32, "bottom": 33, "left": 32, "right": 33}
    assert evaluation.recall_percent("right") == pytest.approx(100 * 32 / 33)
    assert evaluation.recall_percent("top") == 100
    assert evaluation.refused == ()


def test_scores_picture_files(client: Client, tmp_path: Path) -> None:
    """Files are sent as they are; one that cannot be read is named, and the others are scored."""
    paths = []
    for place, label in enumerate(artifacts.LABELS):
        paths.append(tmp_path / f"{label}.png")
        paths[-1].write_bytes(encode(image(artifacts.samples()[place]), "PNG"))
    paths[2].write_bytes(b"no picture")
    evaluation = ask(client, "side", dataset(PictureFiles(tuple(paths), np.arange(4)), artifacts.LABELS))
    assert (evaluation.examples, evaluation.wrong) == (3, 0)
    assert "left" not in evaluation.asked
    (refused,) = evaluation.refused
    assert refused.startswith(f"{paths[2]}: the image is in none of the formats")


def test_scores_texts(client: Client) -> None:
    """Sentences are asked as they are written."""
    labels_N = np.array([words.LABELS.index(label) for label in words.TEXTS.values()])
    labels_N[0] = 1 - labels_N[0]
    evaluation = ask(client, "mood", dataset(Sentences(tuple(words.TEXTS), labels_N), words.LABELS))
    assert evaluation.examples == len(words.TEXTS)
    assert evaluation.confused == Counter({("sad", "glad"): 1})


def test_scores_rows_in_the_models_order(client: Client) -> None:
    """Rows are asked by the names of their columns, and labels compared by theirs, whatever their order."""
    values_NF = np.array(list(tables.ROWS.values()), np.float32)[:, ::-1]
    data = dataset(Rows(tables.COLUMNS[::-1], values_NF, np.array([3, 2, 1, 0])), tables.LABELS[::-1])
    evaluation = ask(client, "direction", data)
    assert (evaluation.examples, evaluation.wrong) == (4, 0)


def test_refuses_a_model_of_other_labels(client: Client, halves: DataSet[Raw]) -> None:
    """A model that does not know the data set's classes is not scored on it."""
    with pytest.raises(
        WrongTask, match="labels of 'side' are not those of some: top, bottom, left, right; not a, b, c"
    ):
        ask(client, "side", dataset(halves.test, ("a", "b", "c", "d")))


def test_refuses_a_model_of_other_columns(client: Client) -> None:
    """A model of other columns than the data set's is not scored on it."""
    rows = Rows(("x", "z"), np.zeros((1, 2), np.float32), np.array([0]))
    with pytest.raises(WrongTask, match="columns of 'direction' are not those of some: x, y; not x, z"):
        ask(client, "direction", dataset(rows, tables.LABELS))


def test_refuses_examples_of_another_kind(client: Client) -> None:
    """A model for pictures is not asked about sentences, nor a bare graph about anything."""
    data = dataset(Sentences(("good",), np.array([0])), artifacts.LABELS)
    with pytest.raises(WrongTask, match="'side' takes pictures, but some has sentences"):
        ask(client, "side", data)
    with pytest.raises(WrongTask, match="'add' is no classifier"):
        ask(client, "add", data)


def test_refuses_to_score_nothing(client: Client, tmp_path: Path) -> None:
    """Where no example got an answer, there is no score."""
    files = PictureFiles((tmp_path / "lost.png",), np.array([0]))
    with pytest.raises(InvalidRequest, match=r"not one of 1 test examples got an answer: .*lost\.png"):
        ask(client, "side", dataset(files, artifacts.LABELS))


def test_refuses_an_unknown_model(client: Client, halves: DataSet[Raw]) -> None:
    """A model that is not served is named."""
    with pytest.raises(ModelNotFound, match="absent"):
        ask(client, "absent", halves)


def test_says_that_no_server_answers(halves: DataSet[Raw]) -> None:
    """Without a server the text says where it was looked for, and how to start one."""
    with Client("127.0.0.1:9") as client, pytest.raises(Unavailable, match=r"no server answers at 127\.0\.0\.1:9"):
        ask(client, "side", halves)


def test_command_exits_with_the_reason(server: Process, idx_dir: Path) -> None:
    """The command fails with one line where the model is none for the data."""
    result = hondo("evaluate", "side", "--data", idx_dir, "--server", server.address)
    assert result.exit_code == 1
    assert result.output.startswith("Error: the labels of 'side' are not those of idx")


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    """Texts for the served classifier `mood`, one of them without a word."""
    (tmp_path / "train.tsv").write_text("glad\tgood\nsad\tbad\n")
    (tmp_path / "test.tsv").write_text("glad\tgood film\nglad\tbad film\nsad\tpoor\nsad\t...\n")
    return tmp_path


def test_asks_a_server_from_the_shell(server: Process, moods: Path) -> None:
    """The command reads a user's own texts, asks about those to test on, and says what was left out."""
    result = hondo("evaluate", "mood", "--data", moods, "--server", server.address)
    assert result.exit_code == 0, result.output
    assert "test.tsv: left out 1 of 4 texts, without a word" in result.output
    assert "error 33.33 % (1 of 3 test examples), accuracy 66.67 %" in result.output


def test_fails_after_the_score_where_something_got_no_answer(server: Process, tmp_path: Path) -> None:
    """Corrupt test pictures are named after the score of the others, and fail the command; unless left out."""
    for place, label in enumerate(artifacts.LABELS):
        for part in ("train", "test"):
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            (folder / "a.png").write_bytes(encode(image(artifacts.samples()[place]), "PNG"))
    corrupt = tmp_path / "test" / "top" / "b.png"
    corrupt.write_bytes(b"no picture")
    command = ("evaluate", "side", "--data", tmp_path, "--server", server.address)
    failed = hondo(*command)
    assert failed.exit_code == 1
    assert "(0 of 4 test examples)" in failed.output
    assert f"Error: 1 of 5 test examples got no answer:\n{corrupt}: " in failed.output
    skipped = hondo(*command, "--skip-corrupt")
    assert skipped.exit_code == 0, skipped.output
    assert f"left out 1 of 9 pictures, which cannot be read:\n  {corrupt}" in skipped.output


def test_prints_for_people_and_programs(monkeypatch: pytest.MonkeyPatch, idx_dir: Path) -> None:
    """The score comes with its count, each class's recall and the confused pairs, as text or as one JSON object."""
    confused = Counter({("4", "9"): 3, ("1", "7"): 1})
    asked = {"1": 400, "4": 600}
    evaluation = Evaluation(model="lenet5", version=1, data="mnist", asked=asked, confused=confused)
    monkeypatch.setattr("training.evaluate.ask", lambda *_: evaluation)
    text = hondo("evaluate", "lenet5", "--data", idx_dir).output
    assert "lenet5 version 1 on mnist: error 0.40 % (4 of 1,000 test examples), accuracy 99.60 %" in text
    assert "   99.50 %  4 (597 of 600)\n" in text
    assert "      3 x 4 for 9\n" in text
    as_json = json.loads(hondo("evaluate", "lenet5", "--data", idx_dir, "--json").output)
    assert (as_json["wrong"], as_json["error_percent"], as_json["accuracy_percent"]) == (4, 0.4, 99.6)
    assert as_json["confused"][0] == {"label": "4", "answer": "9", "count": 3}
    assert as_json["classes"][1] == {"label": "4", "examples": 600, "recall_percent": 99.5}
