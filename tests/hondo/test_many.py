"""Bulks through real servers: order, bad items, servers that are busy, gone or mute; blocking and with asyncio."""

import asyncio
import itertools
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hondo import AsyncClient, Client
from hondo.answer import Answer
from hondo.errors import DeadlineExceeded, HondoError, ModelNotFound, ResourceExhausted, Unavailable, WrongTask
from hondo.items import Picture
from serving.runtime.session import Session
from tests.hondo.pictures import encode
from tests.serving import graphs, tables, words
from tests.serving.artifacts import LABELS, bright
from tests.serving.pace import steps_per_s
from tests.serving.process import Process, serving

PICTURES = [encode(Image.fromarray(bright(label)), "PNG") for label in LABELS]
GLAD_SAD = ["so good", "so bad"]


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


def best(answer: Answer[object]) -> str:
    return answer.labels[0].name


@pytest.mark.parametrize("batch", [1, 32, 1000])
def test_texts_are_answered_in_order(client: Client, batch: int) -> None:
    """A generator of texts, more than are asked ahead, is answered in order by the model that takes texts."""
    texts = (GLAD_SAD[number % 2] for number in range(1000))
    answers = list(client.classify_many(texts=texts, top_k=1, batch=batch))
    assert [best(answer) for answer in answers] == ["glad", "sad"] * 500
    assert [answer.item for answer in answers] == GLAD_SAD * 500
    assert {(answer.model, answer.version, len(answer.labels)) for answer in answers} == {("mood", 1, 1)}


async def test_texts_are_answered_in_order_async(async_client: AsyncClient) -> None:
    """So it is with asyncio, from a plain iterable and from an asynchronous one."""

    async def coming() -> AsyncIterator[str]:
        for text in GLAD_SAD * 300:
            await asyncio.sleep(0)
            yield text

    for texts in (GLAD_SAD * 300, coming()):
        answers = [answer async for answer in async_client.classify_many(texts=texts)]
        assert [best(answer) for answer in answers] == ["glad", "sad"] * 300


def test_pictures_and_rows_are_answered(client: Client, tmp_path: Path) -> None:
    """Pictures as bytes and paths, and rows as anything with numbers in it, are taken as by `classify`."""
    (tmp_path / "left.png").write_bytes(PICTURES[2])
    pictures: list[Picture] = [*PICTURES, tmp_path / "left.png", str(tmp_path / "left.png")]
    assert [best(answer) for answer in client.classify_many(pictures)] == [*LABELS, "left", "left"]
    rows = np.array(list(tables.ROWS.values()) * 100)
    assert [best(answer) for answer in client.classify_many(rows=rows)] == list(tables.ROWS) * 100


async def test_pictures_and_rows_are_answered_async(async_client: AsyncClient, tmp_path: Path) -> None:
    """So it is with asyncio."""
    (tmp_path / "left.png").write_bytes(PICTURES[2])
    pictures: list[Picture] = [*PICTURES, tmp_path / "left.png"]
    assert [best(answer) async for answer in async_client.classify_many(pictures)] == [*LABELS, "left"]
    rows = list(tables.ROWS.values())
    assert [best(answer) async for answer in async_client.classify_many(rows=rows)] == list(tables.ROWS)


def test_model_version_and_top_k_are_heeded(client: Client) -> None:
    """The model and version that are asked for answer, with as many labels as are asked for."""
    (answer,) = client.classify_many(PICTURES[:1], model="side", version=1, top_k=2)
    assert (answer.model, answer.version, len(answer.labels)) == ("side", 1, 2)


def test_nothing_is_answered_nothing(client: Client) -> None:
    """A bulk without items ends at once."""
    assert list(client.classify_many(texts=[])) == []


def errors(answers: Sequence[Answer[object]]) -> list[str]:
    """Gives what each answer failed with, if it did."""
    return ["" if answer.error is None else f"{type(answer.error).__name__}: {answer.error}" for answer in answers]


def test_bad_items_fail_alone(client: Client, tmp_path: Path) -> None:
    """What cannot be read, here or there, has an error in its place; the others their labels."""
    broken, fine = PICTURES[0][:50], PICTURES[0]
    pictures: list[Picture] = [fine, broken, tmp_path / "none.png", b"", *[fine] * 100, broken]
    answers = list(client.classify_many(pictures))
    found = errors(answers)
    assert [bool(error) for error in found] == [False, True, True, True, *[False] * 100, True]
    assert found[1].startswith("InvalidRequest: the image is damaged")
    assert found[2].startswith("FileNotFoundError: ")
    assert found[3].startswith("InvalidRequest: the image is empty")
    with pytest.raises(FileNotFoundError):
        _ = answers[2].labels


async def test_bad_items_fail_alone_async(async_client: AsyncClient, tmp_path: Path) -> None:
    """So it is with asyncio, and with texts and rows."""
    pictures: list[Picture] = [PICTURES[0], tmp_path / "none.png"]
    found = errors([answer async for answer in async_client.classify_many(pictures)])
    assert found[0] == ""
    assert found[1].startswith("FileNotFoundError: ")
    found = errors([answer async for answer in async_client.classify_many(texts=["good", "", "\udc80", "bad"])])
    assert found[::3] == ["", ""]
    assert found[1] == "InvalidRequest: there is no word in it"
    assert found[2].startswith("InvalidText: the text is not Unicode")
    rows = [(1, 2), (1,), (float("nan"), 0)]
    assert errors([answer async for answer in async_client.classify_many(rows=rows)]) == [
        "",
        "InvalidRequest: values: 1 came, 2 expected: x, y",
        "InvalidRequest: 'x' is nan, a finite number expected",
    ]


@pytest.mark.parametrize(("model", "error"), [("nobody", ModelNotFound), ("side", WrongTask), ("join", WrongTask)])
async def test_what_concerns_all_is_raised(server: Process, model: str, error: type[HondoError]) -> None:
    """A model that cannot answer any of them is said once."""
    with Client(server.address) as client, pytest.raises(error):
        list(client.classify_many(texts=GLAD_SAD * 100, model=model))
    async with AsyncClient(server.address) as async_client:
        with pytest.raises(error):
            [answer async for answer in async_client.classify_many(texts=GLAD_SAD * 100, model=model)]


class Endless:
    """Good texts without end, counted as they are taken."""

    taken = 0

    def __iter__(self) -> Iterator[str]:
        while True:
            self.taken += 1
            yield "good"


def test_items_are_taken_as_answers_are(client: Client) -> None:
    """An endless source is read some way ahead of the answers, no further; a bulk that is left leaves no thread."""
    endless = Endless()
    with closing(client.classify_many(texts=endless)) as answers:
        assert [best(answer) for answer in itertools.islice(answers, 1000)] == ["glad"] * 1000
        assert 1000 < endless.taken < 1500
    wait_until(lambda: "stream" not in {thread.name for thread in threading.enumerate()})


async def test_items_are_taken_as_answers_are_async(async_client: AsyncClient) -> None:
    """So it is with asyncio; a bulk that is left leaves no task."""
    endless = Endless()
    before = asyncio.all_tasks()
    async with aclosing(async_client.classify_many(texts=endless)) as answers:
        for _ in range(1000):
            assert best(await anext(answers)) == "glad"
        assert 1000 < endless.taken < 1500
    await asyncio.sleep(0.1)
    assert {task.get_name() for task in asyncio.all_tasks() - before} == set()


def test_what_the_source_raises_is_raised(client: Client) -> None:
    """An error of the caller's own iterable comes through as it is, where the caller can catch it."""

    def failing() -> Iterator[str]:
        yield "good"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(client.classify_many(texts=failing()))


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until something is so; fails where it takes too long."""
    give_up_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


async def test_no_server_is_said_plainly() -> None:
    """Where nobody answers, that is said soon, with how to start a server."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            Client(address) as client,
            pytest.raises(Unavailable, match=f"no server answers at {address}.*hondo serve"),
        ):
            list(client.classify_many(texts=["good"]))
        async with AsyncClient(address) as async_client:
            with pytest.raises(Unavailable, match=f"no server answers at {address}.*hondo serve"):
                [answer async for answer in async_client.classify_many(texts=["good"])]


async def test_mute_server_is_given_up() -> None:
    """Where an answer does not come within the client's patience, DeadlineExceeded is raised."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with Client(address, timeout_s=0.3) as client, pytest.raises(DeadlineExceeded, match=r"within 0.3 s"):
            list(client.classify_many(texts=["good"]))
        async with AsyncClient(address, timeout_s=0.3) as async_client:
            with pytest.raises(DeadlineExceeded, match=r"within 0.3 s"):
                [answer async for answer in async_client.classify_many(texts=["good"])]


async def test_a_message_that_no_server_takes_is_raised(server: Process) -> None:
    """A picture larger than the server's largest message ends the bulk: no server would take it."""
    with Client(server.address) as client, pytest.raises(ResourceExhausted, match="larger than max"):
        list(client.classify_many([bytes(9 * 2**20)]))


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[str, float]]:
    """A server of one slow classifier whose queue is short: its address, and steps a second."""
    tables.write_slow(tmp_path / "models")
    pace = steps_per_s(Session.open(graphs.slow(tmp_path / "model.onnx")))
    options = ("--instances", "1", "--max-batch-size", "1", "--max-queue-rows", "4")
    with serving(tmp_path / "models", tmp_path / "log", *options) as process:
        yield process.address, pace


async def test_a_full_queue_is_waited_for(slow: tuple[str, float]) -> None:
    """Far more than a server's queue holds is asked in the end: a bulk waits where a single call is refused."""
    address, pace = slow
    rows = [[1 + int(0.02 * pace)]] * 40
    with Client(address) as client:
        assert errors(list(client.classify_many(rows=rows, batch=1))) == [""] * 40
    async with AsyncClient(address) as async_client:
        assert errors([answer async for answer in async_client.classify_many(rows=rows, batch=1)]) == [""] * 40


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_starts_anew_is_asked_the_rest(tmp_path: Path, end: signal.Signals) -> None:
    """A bulk outlives its server, whether that stops in order or is killed, if another takes its place in time."""
    words.write_classifier(tmp_path / "models")
    with serving(tmp_path / "models", tmp_path / "log") as first, Client(first.address) as client:
        answers = client.classify_many(texts=(GLAD_SAD[number % 2] for number in range(4000)), batch=2)
        names = [best(next(answers)) for _ in range(100)]
        first.popen.send_signal(end)
        first.popen.wait(20)
        with serving(tmp_path / "models", tmp_path / "log2", "--port", first.address.split(":")[1]):
            names += [best(answer) for answer in answers]
    assert names == ["glad", "sad"] * 2000


async def test_a_server_that_starts_anew_is_asked_the_rest_async(tmp_path: Path) -> None:
    """So it is with asyncio."""
    words.write_classifier(tmp_path / "models")
    with serving(tmp_path / "models", tmp_path / "log") as first:
        async with AsyncClient(first.address) as client:
            answers = client.classify_many(texts=(GLAD_SAD[number % 2] for number in range(4000)), batch=2)
            names = [best(await anext(answers)) for _ in range(100)]
            first.popen.kill()
            first.popen.wait(20)
            with serving(tmp_path / "models", tmp_path / "log2", "--port", first.address.split(":")[1]):
                names += [best(answer) async for answer in answers]
    assert names == ["glad", "sad"] * 2000
