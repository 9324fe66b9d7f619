"""The client's `generate` and `score`, blocking and with asyncio, against a real server."""

from contextlib import closing

import pytest

from hondo.client import AsyncClient, Client
from hondo.errors import (
    DeadlineExceeded,
    HondoError,
    InvalidRequest,
    InvalidText,
    ModelNotFound,
    Unavailable,
    WrongTask,
)
from protos.hondo_pb2 import Ending
from tests.serving import writers
from tests.serving.process import Process
from tests.serving.tasks.test_generate import await_gauge, expected


def test_pieces_make_the_text(server: Process) -> None:
    """Pieces come in order, each with the model, the version and the seed; the last one says how it ended."""
    with Client(server.address) as client:
        pieces = list(client.generate("hello", max_characters=3000, seed=7, stream_interval_ms=1))
    assert "".join(piece.text for piece in pieces) == expected("hello", 3000, seed=7)
    assert len(pieces) > 3
    assert {(piece.model, piece.version, piece.seed, piece.continuation) for piece in pieces} == {("writer", 1, 7, 0)}
    assert [piece.ending is not None for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].ending is not None
    assert (pieces[-1].ending.reason, pieces[-1].ending.characters) == (Ending.LENGTH, 3000)


def test_settings_reach_the_server(server: Process) -> None:
    """Temperature, top_k, stop strings, continuations and log-probabilities are heeded, also where they are 0."""
    with Client(server.address) as client:
        greedy = list(client.generate("ab", max_characters=9, temperature=0, top_k=2, seed=0))
        assert "".join(piece.text for piece in greedy) == expected("ab", 9, temperature=0, top_k=2)
        assert greedy[0].seed == 0
        assert list(greedy[0].log_probabilities) == []
        stop = expected("ab", 9, seed=1)[4:6]
        stopped = list(client.generate("ab", max_characters=9, seed=1, stop=[stop], log_probabilities=True))
        assert "".join(piece.text for piece in stopped) == expected("ab", 4, seed=1)
        numbers = [number for piece in stopped for number in piece.log_probabilities]
        assert numbers == writers.written([0, *writers.encode("ab")], 4, seed=1)[1]
        several = list(client.generate("ab", max_characters=9, seed=1, continuations=3))
        assert {piece.continuation for piece in several} == {0, 1, 2}


def test_closing_the_pieces_ends_the_writing(server: Process) -> None:
    """Who breaks off frees the slot on the server."""
    with Client(server.address) as client:
        with closing(client.generate(max_characters=1_000_000)) as pieces:
            next(pieces)
            await_gauge(server, "hondo_running_rows", 1)
        await_gauge(server, "hondo_running_rows", 0)


def test_text_is_scored(server: Process) -> None:
    """A text's bits a character, and the log-probabilities of its characters if asked."""
    with Client(server.address) as client:
        plain, whole = client.score("hello"), client.score("hello", model="writer", log_probabilities=True)
    assert list(whole.log_probabilities) == writers.scores([0, *writers.encode("hello")])[1:]
    assert plain.bits_per_character == whole.bits_per_character > 0
    assert list(plain.log_probabilities) == []


ERRORS: list[tuple[str, dict[str, object], type[HondoError], str]] = [
    ("a", {"model": "nobody"}, ModelNotFound, "no model 'nobody'"),
    ("a", {"model": "side"}, WrongTask, "'side' does not write"),
    ("Ä", {}, InvalidRequest, r"does not know the character 'Ä' \(U\+00C4\)"),
    ("\udc80", {}, InvalidText, "not Unicode"),
]


@pytest.mark.parametrize(("text", "settings", "error", "says"), ERRORS)
def test_error_comes_as_its_class(
    server: Process, text: str, settings: dict[str, object], error: type[HondoError], says: str
) -> None:
    """Each failure arrives as the class that names it, from both calls."""
    with Client(server.address) as client:
        with pytest.raises(error, match=says):
            list(client.generate(text, **settings))  # type: ignore[arg-type]
        with pytest.raises(error, match=says):
            client.score(text, **settings)  # type: ignore[arg-type]


def test_time_limit_is_held(server: Process) -> None:
    """A text that takes longer than it may raises DeadlineExceeded, after what came in time."""
    with Client(server.address) as client:
        pieces = client.generate(max_characters=1_000_000, timeout_s=0.5)
        assert next(pieces).text
        with pytest.raises(DeadlineExceeded):
            list(pieces)
    await_gauge(server, "hondo_running_rows", 0)


def test_no_server_is_said_plainly() -> None:
    """Where nobody answers, the error says how to start a server."""
    with Client("127.0.0.1:9") as client, pytest.raises(Unavailable, match="hondo serve"):
        list(client.generate())


async def test_pieces_make_the_text_async(server: Process) -> None:
    """The asyncio client gives the same."""
    async with AsyncClient(server.address) as client:
        text = "".join([piece.text async for piece in client.generate("hello", max_characters=300, seed=7)])
        assert text == expected("hello", 300, seed=7)
        assert (await client.score("hello")).characters == 5


@pytest.mark.parametrize(("text", "settings", "error", "says"), ERRORS)
async def test_error_comes_as_its_class_async(
    server: Process, text: str, settings: dict[str, object], error: type[HondoError], says: str
) -> None:
    """It raises the same."""
    async with AsyncClient(server.address) as client:
        with pytest.raises(error, match=says):
            [piece async for piece in client.generate(text, **settings)]  # type: ignore[arg-type]
        with pytest.raises(error, match=says):
            await client.score(text, **settings)  # type: ignore[arg-type]


async def test_closing_the_pieces_ends_the_writing_async(server: Process) -> None:
    """Breaking off frees the slot likewise."""
    async with AsyncClient(server.address) as client:
        pieces = client.generate(max_characters=1_000_000)
        await anext(pieces)
        await_gauge(server, "hondo_running_rows", 1)
        await pieces.aclose()
        await_gauge(server, "hondo_running_rows", 0)
