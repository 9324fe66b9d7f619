"""Edges of pictures of any size, asked of a server.

Legend: H height, W width, S side outputs.
"""

import asyncio
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hondo.images import Limits
from hondo.suppression import thinned
from protos.hondo_pb2 import DetectEdgesRequest, DetectEdgesResponse, EdgeFormat
from protos.hondo_pb2 import Edges as Result
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from serving.tasks.bounds import Bounds
from serving.tasks.detect import Detector
from serving.tasks.room import Room
from serving.telemetry.metrics import Metrics
from tests.hondo.pictures import encode
from tests.serving import edges
from tests.serving.asking import ask, refusal
from tests.serving.process import serving

SIZES = [(16, 16), (17, 40), (61, 33), (120, 90)]


def file(picture_HWC: NDArray[np.uint8]) -> bytes:
    return encode(Image.fromarray(picture_HWC), "PNG")


def detect(channel: grpc.Channel, request: DetectEdgesRequest) -> list[Result]:
    answer = ask(channel, request)
    assert isinstance(answer, DetectEdgesResponse)
    assert (answer.model, answer.version) == ("edgy", 1)
    return list(answer.results)


def floats(result: Result, data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<f4").reshape(result.height, result.width)


def test_pictures_of_all_sizes_are_answered_in_their_order(channel: grpc.Channel) -> None:
    """Each picture of a request has a map of its own size, whatever the sizes of the others."""
    pictures = [edges.picture(*size) for size in SIZES * 2]
    request = DetectEdgesRequest(images=[file(each) for each in pictures], format=EdgeFormat.FLOAT_32)
    results = detect(channel, request)
    assert [(result.height, result.width) for result in results] == SIZES * 2
    for picture, result in zip(pictures, results, strict=True):
        assert np.allclose(floats(result, result.map), edges.edges(picture[np.newaxis])[0], atol=1e-6)
        assert not result.side_maps


def test_side_outputs_come_when_asked_for(channel: grpc.Channel) -> None:
    """The maps of the side outputs come beside the edges, the finest first."""
    picture = edges.picture(21, 34)
    asked = DetectEdgesRequest(model="edgy", images=[file(picture)], format=EdgeFormat.FLOAT_32, side_edges=True)
    (result,) = detect(channel, asked)
    sides_SHW = [floats(result, data) for data in result.side_maps]
    assert np.allclose(sides_SHW, edges.side_edges(picture[np.newaxis])[0], atol=1e-6)


@pytest.mark.parametrize(("form", "most"), [(EdgeFormat.PNG_8, 255), (EdgeFormat.PNG_16, 65535)])
def test_maps_come_as_png(channel: grpc.Channel, form: EdgeFormat, most: int) -> None:
    """Grey PNG files of 8 or 16 bits have each number rounded to the nearest of their steps."""
    picture = edges.picture(30, 20)
    (result,) = detect(channel, DetectEdgesRequest(images=[file(picture)], format=form))
    with Image.open(io.BytesIO(result.map)) as image:
        assert image.mode == ("L" if most == 255 else "I;16")
        assert np.abs(np.asarray(image) - most * edges.edges(picture[np.newaxis])[0]).max() <= 0.5 + 1e-2


def test_maps_are_thinned_before_the_threshold(channel: grpc.Channel) -> None:
    """Non-maximum suppression is done to the edges and the side outputs, then the threshold makes them 0 and 1."""
    picture = edges.picture(40, 50)
    asked = DetectEdgesRequest(images=[file(picture)], format=EdgeFormat.FLOAT_32, side_edges=True)
    (plain,) = detect(channel, asked)
    asked.thin = True
    (thin,) = detect(channel, asked)
    asked.threshold = 0.25
    (cut,) = detect(channel, asked)
    for one, two, three in zip(
        *([each.map, *each.side_maps] for each in (plain, thin, cut)),
        strict=True,
    ):
        ridges_HW = thinned(floats(plain, one))
        assert np.allclose(floats(thin, two), ridges_HW, atol=1e-6)
        assert 0 < (ridges_HW >= 0.25).sum() < ridges_HW.size / 2
        assert np.array_equal(floats(cut, three), ridges_HW >= 0.25)


def test_maps_are_upright(channel: grpc.Channel) -> None:
    """A picture that its EXIF orientation turns has its map turned likewise."""
    picture = edges.picture(20, 30)
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees clockwise
    data = encode(Image.fromarray(picture), "PNG", exif=turned)
    (result,) = detect(channel, DetectEdgesRequest(images=[data], format=EdgeFormat.FLOAT_32))
    upright = np.rot90(picture, -1)
    assert np.allclose(floats(result, result.map), edges.edges(upright[np.newaxis])[0], atol=1e-6)


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (DetectEdgesRequest(), "INVALID_ARGUMENT", "images: none came, at least one expected"),
        (
            DetectEdgesRequest(images=[file(edges.picture(16, 16)), file(edges.picture(15, 40))]),
            "INVALID_ARGUMENT",
            "images[1]: the image has 40 x 15 pixels, at least 16 a side are needed",
        ),
        (
            DetectEdgesRequest(images=[file(edges.picture(16, 16)), file(edges.picture(16, 16))[:-30]]),
            "INVALID_ARGUMENT",
            "images[1]: the image is damaged",
        ),
        (DetectEdgesRequest(images=[b"x"], threshold=1.5), "INVALID_ARGUMENT", "threshold: 1.5, 0 to 1 expected"),
        (
            DetectEdgesRequest(images=[b"x"], format=9),  # type: ignore[arg-type]  # what another version may send
            "INVALID_ARGUMENT",
            "format: 9, one of PNG_8, PNG_16, FLOAT_32 expected",
        ),
        (
            DetectEdgesRequest(model="side", images=[b"x"]),
            "FAILED_PRECONDITION",
            "model 'side' is no edge detector; it does classification",
        ),
        (DetectEdgesRequest(model="join", images=[b"x"]), "FAILED_PRECONDITION", "it is a bare ONNX file"),
        (DetectEdgesRequest(model="nobody", images=[b"x"]), "NOT_FOUND", "there is no model 'nobody'"),
        (
            # 8 MiB are sent at most.
            DetectEdgesRequest(images=[file(np.zeros((1500, 1500), np.uint8))], format=EdgeFormat.FLOAT_32),
            "RESOURCE_EXHAUSTED",
            "the answer has 9,000,000 bytes, at most 8,388,608 are sent",
        ),
    ],
)
def test_misfit_is_refused(channel: grpc.Channel, request_: DetectEdgesRequest, code: str, text: str) -> None:
    """Each mistake goes back with its status and a text that says which picture or field, and why."""
    refused, why = refusal(channel, request_)
    assert refused is grpc.StatusCode[code]
    assert text in why


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    """A connection to a server that takes small pictures only: of two detectors, one without parts or side outputs."""
    folder = tmp_path_factory.mktemp("several")
    edges.write_detector(folder / "models")
    edges.write_detector(folder / "models", "plain", sides=False, reach_px=0)
    with (
        serving(folder / "models", folder / "log", "--max-image-pixels", "4000") as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        yield channel


def test_one_of_several_detectors_must_be_named(several: grpc.Channel) -> None:
    """The text lists those that there are."""
    code, text = refusal(several, DetectEdgesRequest(images=[file(edges.picture(16, 16))]))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text == "model: empty, but this server has several edge detectors: edgy, plain"


def test_a_detector_without_side_outputs_says_so(several: grpc.Channel) -> None:
    """Asked for what it has not, a model says that it has not."""
    asked = DetectEdgesRequest(model="plain", images=[file(edges.picture(16, 16))], side_edges=True)
    assert refusal(several, asked) == (grpc.StatusCode.FAILED_PRECONDITION, "model 'plain' has no side outputs")


def test_a_request_has_no_more_pixels_than_a_picture(several: grpc.Channel) -> None:
    """Many small pictures may not take the memory that one large one may not."""
    asked = DetectEdgesRequest(model="plain", images=[file(edges.picture(40, 60))] * 2)
    code, text = refusal(several, asked)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text == "images: 4,800 pixels came together, at most 4,000 are taken in a request"


def test_a_request_has_no_more_pictures_than_may_wait(tmp_path: Path) -> None:
    """Each picture is a run of its own: those that could never wait together are refused before they are opened."""
    edges.write_detector(tmp_path / "models")
    with (
        serving(tmp_path / "models", tmp_path / "log", "--max-queue-rows", "3") as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        fine = file(edges.picture(16, 16))
        assert len(detect(channel, DetectEdgesRequest(images=[fine] * 3))) == 3
        code, text = refusal(channel, DetectEdgesRequest(images=[fine] * 4))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith("images: 4 came, at most 3 are taken in a request (as many as may wait, --max-queue-rows)")


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    """Two threads."""
    with ThreadPoolExecutor(2) as workers:
        yield workers


@pytest.mark.parametrize("size", [(150, 170), (40, 801), (777, 31), (203, 210)])
async def test_a_large_picture_is_answered_in_parts_without_seams(
    tmp_path: Path, workers: ThreadPoolExecutor, size: tuple[int, int]
) -> None:
    """What needs more memory than a run may have is cut, and its edges are those of the whole picture."""
    edges.write_detector(tmp_path)
    (model,) = Catalog.load(tmp_path, Device.CPU)
    metrics = Metrics()
    model.open(metrics)
    bounds = Bounds(images=Limits(), run_bytes=4000 * model.pixel_bytes, message_bytes=2**24, queue_rows=512, parts=2)
    picture = edges.picture(*size)
    try:
        asked = DetectEdgesRequest(images=[file(picture)], format=EdgeFormat.FLOAT_32, side_edges=True)
        (result,) = (await Detector(model, workers, bounds, Room(10**6)).answer(asked)).results
    finally:
        await asyncio.to_thread(model.close)
    assert np.allclose(floats(result, result.map), edges.edges(picture[np.newaxis])[0], atol=1e-6)
    sides_SHW = [floats(result, data) for data in result.side_maps]
    assert np.allclose(sides_SHW, edges.side_edges(picture[np.newaxis])[0], atol=1e-6)
    assert _rows_run(metrics) >= size[0] * size[1] / 4000


async def test_a_large_picture_is_refused_where_the_net_has_no_parts(
    tmp_path: Path, workers: ThreadPoolExecutor
) -> None:
    """A net of which everything may have influence everywhere takes only what fits into one run."""
    edges.write_detector(tmp_path, reach_px=0)
    (model,) = Catalog.load(tmp_path, Device.CPU)
    bounds = Bounds(images=Limits(), run_bytes=4000 * model.pixel_bytes, message_bytes=2**24, queue_rows=512, parts=2)
    detector = Detector(model, workers, bounds, Room(10**6))
    text = (
        "images[0]: the image has 100 x 50 pixels, one run takes 4,000 (the server's --max-run-mb), and this model "
        "does not answer in parts"
    )
    with pytest.raises(Exception, match=re.escape(text)):
        await detector.answer(DetectEdgesRequest(images=[file(edges.picture(50, 100))]))


def _rows_run(metrics: Metrics) -> float:
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name.endswith("batch_rows_sum"))
