from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from protos.hondo_pb2 import (
    ClassifyRequest,
    ClassifyResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    Row,
)
from tests.hondo.pictures import encode
from tests.serving import artifacts, graphs, tables, words
from tests.serving.artifacts import LABELS, bright
from tests.serving.asking import ask, refusal
from tests.serving.process import serving

PICTURES = [encode(Image.fromarray(bright(label)), "PNG") for label in LABELS]
ROW = Row(values=[1, 2])


def classify(channel: grpc.Channel, request: ClassifyRequest) -> ClassifyResponse:
    answer = ask(channel, request)
    assert isinstance(answer, ClassifyResponse)
    return answer


def test_pictures_are_answered_in_their_order(channel: grpc.Channel) -> None:
    """Each picture of a request has its own result, in the order of the pictures."""
    answer = classify(channel, ClassifyRequest(model="side", images=PICTURES * 3))
    assert [result.labels[0].name for result in answer.results] == list(LABELS) * 3


@pytest.mark.parametrize(("top_k", "count"), [(0, 4), (1, 1), (3, 3), (4, 4), (5, 4), (2**32 - 1, 4)])
def test_top_k_is_at_most_all(channel: grpc.Channel, top_k: int, count: int) -> None:
    """0 labels asks for five; more than there are gives all."""
    answer = classify(channel, ClassifyRequest(images=PICTURES[:1], top_k=top_k))
    assert len(answer.results[0].labels) == count


def test_equal_labels_keep_the_models_order(channel: grpc.Channel) -> None:
    """Labels of one probability come in the order that the model gives them: the answer is repeatable."""
    grey = encode(Image.new("L", (8, 8), 128), "PNG")
    (result,) = classify(channel, ClassifyRequest(images=[grey])).results
    assert [label.index for label in result.labels] == [0, 1, 2, 3]
    assert [label.probability for label in result.labels] == [0.25] * 4


def test_picture_of_any_size_is_fitted(channel: grpc.Channel) -> None:
    """Pictures come to the graph's size by the manifest's rule, colour and all."""
    large = Image.fromarray(bright("left")).resize((500, 300), Image.Resampling.NEAREST).convert("RGB")
    (result,) = classify(channel, ClassifyRequest(images=[encode(large, "JPEG")])).results
    assert result.labels[0].name == "left"


def check_probabilities(answer: ClassifyResponse, expected_NK: NDArray[np.float32]) -> None:
    """Holds that an answer has all labels of each row with the probabilities that numpy computes."""
    assert len(answer.results) == len(expected_NK)
    for result, expected_K in zip(answer.results, expected_NK, strict=True):
        assert [label.index for label in result.labels] == np.argsort(-expected_K, kind="stable").tolist()
        for label in result.labels:
            assert label.probability == pytest.approx(expected_K[label.index], abs=1e-6)


@pytest.mark.parametrize("count", [1, 1000])
def test_texts_are_classified(channel: grpc.Channel, count: int) -> None:
    """Each text has its own result, whether they are few or so many that they are read off the event loop."""
    answer = classify(channel, ClassifyRequest(texts=list(words.TEXTS) * count))
    assert (answer.model, answer.version) == ("mood", 1)
    assert [result.labels[0].name for result in answer.results] == list(words.TEXTS.values()) * count
    check_probabilities(answer, words.probabilities(words.tokens(list(words.TEXTS) * count)))


@pytest.mark.parametrize("count", [1, 2000])
def test_rows_are_classified(channel: grpc.Channel, count: int) -> None:
    """Each row of numbers has its own result."""
    answer = classify(channel, ClassifyRequest(rows=[Row(values=row) for row in tables.ROWS.values()] * count))
    assert (answer.model, answer.version) == ("direction", 1)
    assert [result.labels[0].name for result in answer.results] == list(tables.ROWS) * count
    check_probabilities(answer, tables.probabilities(np.array(list(tables.ROWS.values()) * count, np.float32)))


def test_only_classifier_of_a_kind_needs_no_name(channel: grpc.Channel) -> None:
    """What comes says which model is meant, where one alone takes that."""
    requests = [ClassifyRequest(images=PICTURES), ClassifyRequest(texts=["good"]), ClassifyRequest(rows=[ROW])]
    assert [classify(channel, request).model for request in requests] == ["side", "mood", "direction"]


def test_vocabulary_is_in_the_description_alone(channel: grpc.Channel) -> None:
    """The list of models leaves out what is long; all else of the manifest is there, and GetModel has everything."""
    listed = ask(channel, ListModelsRequest())
    described = ask(channel, GetModelRequest(model="mood"))
    assert isinstance(listed, ListModelsResponse)
    assert isinstance(described, GetModelResponse)
    (short,) = (model for model in listed.models if model.name == "mood")
    whole = described.model
    assert tuple(whole.manifest.classification.text.vocabulary) == words.VOCABULARY
    assert list(short.manifest.classification.text.vocabulary) == []
    whole.manifest.classification.text.ClearField("vocabulary")
    assert short == whole


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (ClassifyRequest(model="nobody", images=PICTURES), grpc.StatusCode.NOT_FOUND, "there is no model 'nobody'"),
        (ClassifyRequest(version=3, images=PICTURES), grpc.StatusCode.NOT_FOUND, "'side' has no version 3"),
        (GetModelRequest(model="nobody"), grpc.StatusCode.NOT_FOUND, "there is no model 'nobody'"),
        (GetModelRequest(), grpc.StatusCode.NOT_FOUND, "there is no model ''"),
        (
            ClassifyRequest(model="join", images=PICTURES),
            grpc.StatusCode.FAILED_PRECONDITION,
            "model 'join' is no classifier; it is a bare ONNX file: use the Open Inference Protocol",
        ),
        (ClassifyRequest(model="two", images=PICTURES), grpc.StatusCode.FAILED_PRECONDITION, "'two' is no classifier"),
        (ClassifyRequest(), grpc.StatusCode.INVALID_ARGUMENT, "nothing came to classify: send images, texts or rows"),
        (
            ClassifyRequest(model="mood", images=PICTURES),
            grpc.StatusCode.FAILED_PRECONDITION,
            "model 'mood' takes texts, not images",
        ),
        (
            ClassifyRequest(model="side", rows=[Row(values=[1])]),
            grpc.StatusCode.FAILED_PRECONDITION,
            "model 'side' takes images, not rows",
        ),
        (
            ClassifyRequest(model="direction", texts=["good"]),
            grpc.StatusCode.FAILED_PRECONDITION,
            "model 'direction' takes rows of 2 numbers (x, y), not texts",
        ),
        (
            ClassifyRequest(model="side", images=PICTURES, texts=["good"]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "images and texts came together: send one kind in a request",
        ),
        (
            ClassifyRequest(texts=["good", "..."]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "texts[1]: there is no word in it",
        ),
        (
            ClassifyRequest(rows=[Row(values=[1, 2]), Row(values=[1])]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "rows[1]: values: 1 came, 2 expected: x, y",
        ),
        (
            ClassifyRequest(rows=[Row(values=[1, float("nan")])]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "rows[0]: 'y' is nan, a finite number expected",
        ),
        (
            ClassifyRequest(images=[*PICTURES, b""]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "images[4]: the image is empty (0 bytes)",
        ),
        (
            ClassifyRequest(images=[PICTURES[0], PICTURES[1][:50]]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "images[1]: the image is damaged",
        ),
    ],
)
def test_misfit_is_refused(
    channel: grpc.Channel, request_: ClassifyRequest | GetModelRequest, code: grpc.StatusCode, text: str
) -> None:
    """Each mistake goes back with its status and a text that says which picture or model, and why."""
    refused, why = refusal(channel, request_)
    assert refused is code
    assert text in why


@pytest.fixture
def two_classifiers(tmp_path: Path) -> Iterator[grpc.Channel]:
    """A connection to a server of two classifiers."""
    for name in ("side", "edge"):
        artifacts.write_classifier(tmp_path / "models", name)
    with serving(tmp_path / "models", tmp_path / "log") as process, grpc.insecure_channel(process.address) as channel:
        yield channel


def test_one_of_several_classifiers_must_be_named(two_classifiers: grpc.Channel) -> None:
    """The model's name may be left out only where one takes what comes; the text lists those that do."""
    code, text = refusal(two_classifiers, ClassifyRequest(images=PICTURES))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text == "model: empty, but this server has several classifiers of images: edge, side"
    assert classify(two_classifiers, ClassifyRequest(model="edge", images=PICTURES)).model == "edge"


def test_no_classifier_is_said(tmp_path: Path) -> None:
    """Where there is no classifier of what came, that is what the text says."""
    graphs.add(tmp_path / "models" / "add" / "1" / "model.onnx")
    with serving(tmp_path / "models", tmp_path / "log") as process, grpc.insecure_channel(process.address) as channel:
        code, text = refusal(channel, ClassifyRequest(images=PICTURES))
    assert code is grpc.StatusCode.NOT_FOUND
    assert text == "this server has no classifier of images"


def test_what_comes_is_no_larger_unpacked_than_a_message(tmp_path: Path) -> None:
    """Short texts and small files may not take more memory than a message: what would is refused unread."""
    words.write_classifier(tmp_path / "models")
    most = 2**20 // (8 * words.LENGTH)
    with (
        serving(tmp_path / "models", tmp_path / "log", "--max-message-mb", "1") as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        assert len(classify(channel, ClassifyRequest(texts=["good"] * most, top_k=1)).results) == most
        code, text = refusal(channel, ClassifyRequest(texts=["good"] * (most + 1)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith(f"texts: {most + 1:,} came, at most {most:,} are taken in a request")
