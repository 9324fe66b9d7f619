import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hondo import AsyncClient, Client, HondoError
from hondo.errors import (
    DeadlineExceeded,
    InvalidRequest,
    InvalidText,
    ModelNotFound,
    ResourceExhausted,
    ServerError,
    Unavailable,
    WrongTask,
)
from hondo.maps import Bits, Detected
from hondo.suppression import thinned
from protos.hondo_pb2 import ClassifyResponse
from tests.hondo.pictures import encode
from tests.serving import artifacts, edges, tables, words
from tests.serving.artifacts import LABELS, bright
from tests.serving.process import Process, serving

TOP = encode(Image.fromarray(bright("top")), "PNG")
BOTTOM = encode(Image.fromarray(bright("bottom")), "PNG")


@pytest.fixture
def client(server: Process) -> Iterator[Client]:
    """A blocking client of `server`."""
    with Client(server.address) as client:
        yield client


@pytest.fixture
async def async_client(server: Process) -> AsyncIterator[AsyncClient]:
    """An asyncio client of `server`."""
    async with AsyncClient(server.address) as client:
        yield client


@pytest.fixture
def no_server() -> Iterator[str]:
    """The address of a port that is taken, but where nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of somebody who takes connections, but never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose classifier fails at run time for all but its golden samples."""
    models = tmp_path_factory.mktemp("failing")
    artifacts.write_classifier(models, only_batch=len(artifacts.samples()))
    with serving(models, tmp_path_factory.mktemp("log") / "server.log") as process:
        yield process.address


def check_top_then_bottom(answer: ClassifyResponse) -> None:
    """Holds that the answer to TOP and BOTTOM names model, version, labels and probabilities."""
    assert (answer.model, answer.version) == ("side", 2)
    assert [[label.name for label in result.labels[:1]] for result in answer.results] == [["top"], ["bottom"]]
    expected_NK = artifacts.probabilities(artifacts.samples()[:2])
    for result, expected_K in zip(answer.results, expected_NK, strict=True):
        assert len(result.labels) == len(LABELS)
        for label in result.labels:
            assert LABELS[label.index] == label.name
            assert label.probability == pytest.approx(expected_K[label.index], abs=1e-6)
        assert list(result.labels) == sorted(result.labels, key=lambda label: -label.probability)


def test_bytes_are_classified(client: Client) -> None:
    """Pictures as bytes come back as labels with probabilities, best first, one result each, in their order."""
    check_top_then_bottom(client.classify([TOP, BOTTOM]))


async def test_bytes_are_classified_async(async_client: AsyncClient) -> None:
    """The asyncio client gives the same answer."""
    check_top_then_bottom(await async_client.classify([TOP, BOTTOM]))


def test_paths_are_classified(client: Client, tmp_path: Path) -> None:
    """Pictures are taken as paths, text or Path, beside bytes."""
    (tmp_path / "top.png").write_bytes(TOP)
    answer = client.classify([tmp_path / "top.png", str(tmp_path / "top.png"), TOP], top_k=1)
    assert [result.labels[0].name for result in answer.results] == ["top"] * 3


def test_missing_file_is_the_callers_error(client: Client, tmp_path: Path) -> None:
    """A path without file raises what opening it raises."""
    with pytest.raises(FileNotFoundError):
        client.classify([tmp_path / "none.png"])


def test_texts_are_classified(client: Client) -> None:
    """Texts come back as labels, one result each, in their order."""
    answer = client.classify(texts=list(words.TEXTS), top_k=1)
    assert [result.labels[0].name for result in answer.results] == list(words.TEXTS.values())


def test_rows_are_classified(client: Client) -> None:
    """Rows are taken as whatever gives numbers, an array as well."""
    for rows in (list(tables.ROWS.values()), np.array(list(tables.ROWS.values()))):
        answer = client.classify(rows=rows, top_k=1)
        assert [result.labels[0].name for result in answer.results] == list(tables.ROWS)


async def test_texts_and_rows_are_classified_async(async_client: AsyncClient) -> None:
    """The asyncio client takes the same."""
    assert (await async_client.classify(texts=["so bad"])).results[0].labels[0].name == "sad"
    assert (await async_client.classify(rows=[(0, -1)])).results[0].labels[0].name == "south"


MISTAKES: list[tuple[dict[str, object], str]] = [
    ({}, "images, texts or rows: one of them expected, none given"),
    ({"images": [TOP], "texts": ["good"]}, "one of them expected, images and texts given"),
    ({"images": TOP}, r"images takes several, here is one alone: images=\[it\]"),
    ({"images": "top.png"}, "images takes several"),
    ({"images": Path("top.png")}, "images takes several"),
    ({"texts": "good"}, "texts takes several"),
    ({"texts": [b"good"]}, "text: str expected, not bytes"),
    ({"rows": [1.0, 2.0]}, "rows: each is several numbers, here is 1.0 alone"),
    ({"rows": [["a", "b"]]}, "str"),
]


@pytest.mark.parametrize(("call", "text"), MISTAKES)
def test_what_is_no_list_of_one_kind_is_a_type_error(client: Client, call: dict[str, object], text: str) -> None:
    """One thing where several belong, several kinds, or things of another kind are told before anything is sent."""
    with pytest.raises(TypeError, match=text):
        client.classify(**call)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=text):
        list(client.classify_many(**call))  # type: ignore[arg-type]


def test_version_and_top_k_are_heeded(client: Client) -> None:
    """The version that is asked for answers, with as many labels as are asked for, at most all."""
    answer = client.classify([TOP], model="side", version=1, top_k=2)
    assert answer.version == 1
    assert len(answer.results[0].labels) == 2
    assert len(client.classify([TOP], top_k=1000).results[0].labels) == len(LABELS)


def test_models_are_listed(client: Client) -> None:
    """Every version of every model is listed by name, newest version first."""
    models = client.list_models()
    places = [(model.name, -model.version) for model in models]
    assert places == sorted(places)
    assert [model.version for model in models if model.name == "side"] == [2, 1]


async def test_models_are_listed_async(async_client: AsyncClient) -> None:
    """The asyncio client lists the same."""
    assert [model.version for model in await async_client.list_models() if model.name == "side"] == [2, 1]


def test_model_is_described(client: Client) -> None:
    """A model comes with its task, its tensors as the graph states them, and its manifest."""
    model = client.get_model("side", 1)
    assert (model.name, model.version, model.task) == ("side", 1, "classification")
    (graph,) = model.graphs
    assert [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in graph.inputs] == [
        ("image", "UINT8", [-1, 8, 8, 1])
    ]
    assert [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in graph.outputs] == [
        ("probabilities", "FP32", [-1, 4])
    ]
    assert tuple(model.manifest.classification.labels) == LABELS


def test_bare_graph_is_described(client: Client) -> None:
    """A bare ONNX file has tensors, but neither task nor manifest."""
    model = client.get_model("join")
    assert (model.version, model.task, model.HasField("manifest")) == (1, "", False)
    assert [tensor.datatype for tensor in model.graphs[0].inputs] == ["BYTES", "INT64"]


async def test_model_is_described_async(async_client: AsyncClient) -> None:
    """The asyncio client describes the newest version unless asked otherwise."""
    assert (await async_client.get_model("side")).version == 2


ERRORS = [
    ({"images": [TOP], "model": "nobody"}, ModelNotFound, "no model 'nobody'"),
    ({"images": [TOP], "model": "side", "version": 9}, ModelNotFound, "has no version 9; this server has 2, 1"),
    ({"images": [TOP], "model": "join"}, WrongTask, "'join' is no classifier"),
    ({"images": []}, InvalidRequest, "nothing came to classify"),
    ({"images": [TOP], "model": "mood"}, WrongTask, "'mood' takes texts, not images"),
    ({"texts": ["good", ""]}, InvalidRequest, r"texts\[1\]: there is no word"),
    ({"texts": ["good", "\udc80"]}, InvalidText, r"texts\[1\]: the text is not Unicode"),
    ({"rows": [[1.0, 2.0], [1.0]]}, InvalidRequest, r"rows\[1\]: values: 1 came, 2 expected: x, y"),
    ({"images": [TOP, b"no picture"]}, InvalidRequest, r"images\[1\]: the image is in none of the formats"),
    ({"images": [b""]}, InvalidRequest, r"images\[0\]: the image is empty"),
    ({"images": [bytes(9 * 2**20)]}, ResourceExhausted, "larger than max"),
]


@pytest.mark.parametrize(("call", "error", "text"), ERRORS)
def test_error_comes_as_its_class(client: Client, call: dict[str, object], error: type[HondoError], text: str) -> None:
    """Each failure arrives as the class of the family that names it, with the server's text."""
    with pytest.raises(error, match=text) as raised:
        client.classify(**call)  # type: ignore[arg-type]
    assert type(raised.value) is error


@pytest.mark.parametrize(("call", "error", "text"), ERRORS)
async def test_error_comes_as_its_class_async(
    async_client: AsyncClient, call: dict[str, object], error: type[HondoError], text: str
) -> None:
    """The asyncio client raises the same."""
    with pytest.raises(error, match=text) as raised:
        await async_client.classify(**call)  # type: ignore[arg-type]
    assert type(raised.value) is error


def test_other_calls_raise_too(client: Client) -> None:
    """Describing a model that is not there is the same error as asking it."""
    with pytest.raises(ModelNotFound, match="nobody"):
        client.get_model("nobody")


async def test_other_calls_raise_too_async(async_client: AsyncClient) -> None:
    """So it is with asyncio."""
    with pytest.raises(ModelNotFound, match="nobody"):
        await async_client.get_model("nobody")


def test_failure_of_the_server_says_nothing_of_its_inside(failing: str) -> None:
    """What fails unforeseen in the server arrives as ServerError with a fixed text."""
    with Client(failing) as client, pytest.raises(ServerError) as raised:
        client.classify([TOP])
    assert str(raised.value) == "internal error; the server's log says more"


def test_deadline_is_held(mute: str) -> None:
    """A call that is not answered within the client's patience raises DeadlineExceeded."""
    with Client(mute, timeout_s=0.2) as client, pytest.raises(DeadlineExceeded):
        client.classify([TOP])


async def test_deadline_is_held_async(mute: str) -> None:
    """So it is with asyncio."""
    async with AsyncClient(mute, timeout_s=0.2) as client:
        with pytest.raises(DeadlineExceeded):
            await client.classify([TOP])


def test_no_server_is_said_plainly(no_server: str) -> None:
    """Where nobody answers, every call says where it asked and how to start a server."""
    with Client(no_server) as client:
        for call in (lambda: client.classify([TOP]), client.list_models, lambda: client.get_model("side")):
            with pytest.raises(Unavailable, match=f"no server answers at {no_server}.*hondo serve"):
                call()


async def test_no_server_is_said_plainly_async(no_server: str) -> None:
    """So it is with asyncio."""
    async with AsyncClient(no_server) as client:
        with pytest.raises(Unavailable, match=f"no server answers at {no_server}.*hondo serve"):
            await client.list_models()


def check_edges(found: list[Detected], pictures: list[NDArray[np.uint8]], most: float) -> None:
    """Holds that each picture has its edges, off by so much at most, and two side outputs."""
    assert len(found) == len(pictures)
    for each, picture in zip(found, pictures, strict=True):
        assert (each.model, each.version) == ("edgy", 1)
        assert np.abs(each.edges_HW - edges.edges(picture[np.newaxis])[0]).max() <= most
        assert np.abs(each.side_edges_SHW - edges.side_edges(picture[np.newaxis])[0]).max() <= most


@pytest.mark.parametrize(("bits", "most"), [(8, 0.6 / 255), (16, 0.6 / 65535), (32, 1e-6)])
async def test_edges_are_found(
    client: Client, async_client: AsyncClient, tmp_path: Path, bits: Bits, most: float
) -> None:
    """Both clients take bytes and paths, and give arrays of each picture's size, as exact as was asked for."""
    pictures = [edges.picture(20, 30), edges.picture(18, 16)]
    files = [encode(Image.fromarray(each), "PNG") for each in pictures]
    (tmp_path / "b.png").write_bytes(files[1])
    given: list[bytes | Path] = [files[0], tmp_path / "b.png"]
    check_edges(client.detect_edges(given, side_edges=True, bits=bits), pictures, most)
    check_edges(await async_client.detect_edges(given, side_edges=True, bits=bits), pictures, most)


async def test_edges_are_thinned_and_cut(client: Client, async_client: AsyncClient) -> None:
    """Both clients ask for lines of 0 and 1 where told to, and for no side outputs unless told to."""
    picture = edges.picture(40, 50)
    ridges_HW = thinned(edges.edges(picture[np.newaxis])[0])
    asked = {"images": [encode(Image.fromarray(picture), "PNG")], "model": "edgy", "version": 1}
    for (found,) in (
        client.detect_edges(**asked, thin=True, threshold=0.25),  # type: ignore[arg-type]
        await async_client.detect_edges(**asked, thin=True, threshold=0.25),  # type: ignore[arg-type]
    ):
        assert np.array_equal(found.edges_HW, ridges_HW >= 0.25)
        assert found.side_edges_SHW.shape == (0, 40, 50)


async def test_failures_of_edges_are_raised(client: Client, async_client: AsyncClient) -> None:
    """A refusal is raised as what it is, by both clients; one picture alone is a mistake of the caller's."""
    with pytest.raises(InvalidRequest, match=r"images\[1\]: the image is empty"):
        client.detect_edges([encode(Image.new("L", (16, 16)), "PNG"), b""])
    with pytest.raises(WrongTask, match="'side' is no edge detector"):
        await async_client.detect_edges([TOP], model="side")
    with pytest.raises(TypeError, match=r"images takes several, here is one alone: images=\[it\]"):
        client.detect_edges(TOP)  # type: ignore[arg-type]
