from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from PIL import Image

from protos.hondo_pb2 import ClassifyRequest, ClassifyResponse, GetModelRequest
from tests.hondo.pictures import encode
from tests.serving import artifacts, graphs
from tests.serving.artifacts import LABELS, bright
from tests.serving.asking import ask, refusal
from tests.serving.process import serving

PICTURES = [encode(Image.fromarray(bright(label)), "PNG") for label in LABELS]


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
        (ClassifyRequest(), grpc.StatusCode.INVALID_ARGUMENT, "images: none came, at least one picture expected"),
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
    """The model's name may be left out only where there is one classifier; the text lists those there are."""
    code, text = refusal(two_classifiers, ClassifyRequest(images=PICTURES))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "edge, side" in text
    assert classify(two_classifiers, ClassifyRequest(model="edge", images=PICTURES)).model == "edge"


def test_no_classifier_is_said(tmp_path: Path) -> None:
    """Where there is no classifier at all, that is what the text says."""
    graphs.add(tmp_path / "models" / "add" / "1" / "model.onnx")
    with serving(tmp_path / "models", tmp_path / "log") as process, grpc.insecure_channel(process.address) as channel:
        code, text = refusal(channel, ClassifyRequest(images=PICTURES))
    assert code is grpc.StatusCode.NOT_FOUND
    assert text == "this server has no classifier"
