"""Caption over the wire: words that are the model's own, whoever else asks, leaves or looks."""

import asyncio
import io
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from hondo import maps
from hondo.client import AsyncClient, Client
from hondo.errors import InvalidArtifact, Overloaded
from protos.hondo_pb2 import (
    Caption,
    CaptionRequest,
    CaptionResponse,
    EdgeFormat,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
)
from protos.inference_pb2 import ModelReadyRequest
from protos.manifest_pb2 import Captioning
from protos.rpc import HONDO, replies
from serving.contract import captioner
from tests.serving import captioners, writers
from tests.serving.asking import PATIENCE_S, ask, refusal
from tests.serving.captioners import MOST, VOCABULARY
from tests.serving.process import Process, serving
from tests.serving.tasks.test_generate import await_gauge

PICTURE = captioners.picture(1)
FILE = captioners.png(PICTURE)
INVALID, PRECONDITION = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION


def caption(channel: grpc.Channel, image: bytes = FILE, **fields: Any) -> list[CaptionResponse]:
    """Gives all messages of a stream."""
    call = replies(channel, HONDO, "Caption", CaptionResponse)
    return list(call(CaptionRequest(image=image, **fields), timeout=PATIENCE_S))


def words(responses: list[CaptionResponse], number: int = 0) -> list[str]:
    """Gives the words of a caption over all messages."""
    return [word.text for each in responses for word in each.words if word.caption == number]


def test_words_are_the_models_own(channel: grpc.Channel) -> None:
    """Nothing but a picture given: the most probable word at each place; the last message has the whole."""
    responses, expected = caption(channel, stream_interval_ms=0), captioners.told(PICTURE)
    assert words(responses) == expected.text.split()
    first, last = responses[0], responses[-1]
    assert (first.model, first.version, first.height, first.width) == ("teller", 1, *PICTURE.shape[:2])
    assert all((each.model, each.height) == ("", 0) for each in responses[1:])
    assert [len(each.captions) for each in responses[:-1]] == [0] * (len(responses) - 1)
    (whole,) = last.captions
    assert (whole.text, whole.words) == (expected.text, len(expected.text.split()))
    assert whole.reason == (Caption.END if expected.is_over else Caption.LENGTH)
    assert whole.log_likelihood == whole.score == sum(expected.log_probabilities)
    numbers = [word.log_probability for each in responses for word in each.words]
    assert numbers == list(expected.log_probabilities[: len(numbers)])
    assert 0 < last.times.seen_ms <= last.times.first_word_ms <= last.times.total_ms < PATIENCE_S * 1000


@pytest.mark.parametrize("seed", range(8))
def test_beam_gives_what_a_plain_search_finds(channel: grpc.Channel, seed: int) -> None:
    """The best captions of a beam come in their order, each with the score that it was compared by."""
    picture = captioners.picture(seed)
    settings: dict[str, Any] = {"beam_width": 4, "captions": 3, "length_penalty": 0.75}
    responses = caption(channel, captioners.png(picture), **settings)
    expected = captioners.beam(picture, 4, length_penalty=0.75)[:3]
    captions = responses[-1].captions
    assert [each.text for each in captions] == [each.text for each in expected]
    assert [words(responses, number) for number in range(3)] == [each.text.split() for each in expected]
    assert [each.score for each in captions] == pytest.approx([each.score(0.75) for each in expected])


def test_best_so_far_is_sent_if_asked(channel: grpc.Channel) -> None:
    """While a beam goes on, its best caption comes again and again; unasked it does not."""
    asked: dict[str, Any] = {"beam_width": 3, "stream_interval_ms": 0}
    picture = next(p for p in map(captioners.picture, range(99)) if len(captioners.beam(p, 3)[0].tokens) == MOST)
    # A server that is busy elsewhere may have the end before it could send a draft.
    tries = (caption(channel, captioners.png(picture), best_so_far=True, **asked) for _ in range(50))
    found = next(drafts for drafts in ([r.best_so_far for r in told if r.best_so_far] for told in tries) if drafts)
    for draft in found:
        assert draft == captioners.beam(picture, 3, len(draft.split()))[0].text
    assert not any(each.best_so_far for each in caption(channel, captioners.png(picture), **asked))


def test_captions_by_chance_are_those_of_their_number(channel: grpc.Channel) -> None:
    """Each caption is drawn by chances of its own; top_k reaches the model; the seed is told."""
    responses = caption(channel, captions=3, temperature=1, seed=9, top_k=2)
    expected = [captioners.told(PICTURE, seed=9, row=row, temperature=1, top_k=2).text for row in range(3)]
    assert [each.text for each in responses[-1].captions] == expected
    assert responses[0].seed == 9
    assert caption(channel)[0].seed != caption(channel)[0].seed


def test_max_words_is_held(channel: grpc.Channel) -> None:
    """A caption has no more words than were asked for, be that fewer or more than the model's own."""
    assert words(caption(channel, max_words=1)) == captioners.told(PICTURE, 1).text.split()
    assert words(caption(channel, max_words=40)) == captioners.told(PICTURE, 40).text.split()


def test_attention_is_as_large_as_the_picture(channel: grpc.Channel) -> None:
    """Each word says where it looked: on the grid, and as a map that is brightest there."""
    large = np.repeat(np.repeat(PICTURE, 20, axis=0), 30, axis=1)
    responses = caption(channel, captioners.png(large), attention=True)
    found = [word for each in responses for word in each.words]
    expected = captioners.told(PICTURE)
    assert len(found) == len(expected.text.split())
    assert max(len(each.words) for each in responses) == 1
    for word, place in zip(found, expected.places, strict=False):
        assert list(word.attention.weights) == [float(place == each) for each in range(6)]
        map_HW = maps.decode(word.attention.map, EdgeFormat.PNG_8, 80, 180)
        row, column = np.unravel_index(map_HW.argmax(), map_HW.shape)
        assert (int(row) // 40, int(column) // 60) == divmod(place, 3)
        assert map_HW.max() == 1
    assert not any(word.HasField("attention") for each in caption(channel) for word in each.words)


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"image": b""}, INVALID, "the image is empty (0 bytes)"),
        ({"image": b"GIF89a but no picture"}, INVALID, "the image is "),
        ({"model": "nobody"}, grpc.StatusCode.NOT_FOUND, "there is no model 'nobody'"),
        ({"version": 3}, grpc.StatusCode.NOT_FOUND, "'teller' has no version 3"),
        ({"model": "side"}, PRECONDITION, "model 'side' makes no captions; it does classification"),
        ({"max_words": 51}, INVALID, "max_words: 51 came, 0 to 50 expected"),
        ({"beam_width": 9}, INVALID, "beam_width: 9 came, 0 to 8 expected"),
        ({"beam_width": 3, "captions": 4}, INVALID, "captions: 4 came, but a beam of 3 has no more than 3"),
        ({"captions": 2}, INVALID, "captions: 2 came, but at temperature 0 there is one alone"),
        ({"captions": 33, "temperature": 1}, INVALID, "captions: 33 came, 1 to 32 expected"),
        ({"beam_width": 2, "temperature": 1}, INVALID, "temperature: a beam takes the most probable words"),
        ({"temperature": -1}, INVALID, "temperature: -1 came, 0 to 100"),
        ({"top_p": 0}, INVALID, "top_p: 0 came"),
        ({"length_penalty": -0.5}, INVALID, "length_penalty: -0.5 came, 0 to 10"),
        ({"length_penalty": math.nan}, INVALID, "length_penalty: nan came"),
    ],
)
def test_what_cannot_be_done_is_refused(
    channel: grpc.Channel, fields: dict[str, Any], code: grpc.StatusCode, text: str
) -> None:
    """A request out of its bounds fails before the picture is looked at, and says why."""
    found_code, found = refusal(channel, CaptionRequest(**{"image": FILE, **fields}))
    assert (found_code, text in found) == (code, True), found


def test_description_has_both_graphs(channel: grpc.Channel) -> None:
    """The model is listed without its vocabulary, described with it, and ready by the open protocol."""
    listed, described = ask(channel, ListModelsRequest()), ask(channel, GetModelRequest(model="teller"))
    assert isinstance(listed, ListModelsResponse)
    assert isinstance(described, GetModelResponse)
    (short,) = (model for model in listed.models if model.name == "teller")
    assert (short.task, list(short.manifest.captioning.vocabulary)) == ("captioning", [])
    assert tuple(described.model.manifest.captioning.vocabulary) == VOCABULARY
    assert [graph.role for graph in described.model.graphs] == ["encode", "step"]
    assert ask(channel, ModelReadyRequest(name="teller")).ready  # type: ignore[attr-defined]  # it is a message


def test_cancelled_call_frees_all_of_its_slots(server: Process) -> None:
    """Who breaks off in the middle of a beam leaves no row behind."""
    with Client(server.address) as client:
        for _ in range(5):
            with closing(client.caption(FILE, beam_width=8, max_words=50, best_so_far=True)) as telling:
                next(telling)
    await_gauge(server, "hondo_running_rows", 0)


def test_full_queue_is_refused(models_dir: Path, tmp_path: Path) -> None:
    """With few slots and one place to wait, a beam too many is told to come again."""

    async def crowd(address: str) -> list[object]:
        async with AsyncClient(address) as client:

            async def one(seed: int) -> str:
                told = [each async for each in client.caption(captioners.png(captioners.picture(seed)), beam_width=4)]
                return told[-1].captions[0].text

            return await asyncio.gather(*[one(seed) for seed in range(40)], return_exceptions=True)

    with serving(models_dir, tmp_path / "log", "--max-batch-size", "4", "--max-queue-rows", "4") as server:
        found = asyncio.run(crowd(server.address))
        refused = [each for each in found if isinstance(each, Overloaded)]
        assert refused
        for seed, each in enumerate(found):
            if each not in refused:
                assert each == captioners.beam(captioners.picture(seed), 4)[0].text
        code, text = refusal_of(server, beam_width=5)
        assert (code, text) == (INVALID, "beam_width: 5 came, 0 to 4 expected")
        await_gauge(server, "hondo_running_rows", 0)


def refusal_of(server: Process, **fields: Any) -> tuple[grpc.StatusCode, str]:
    with grpc.insecure_channel(server.address) as channel:
        return refusal(channel, CaptionRequest(image=FILE, **fields))


async def test_crowd_gets_its_captions(server: Process) -> None:
    """Captions of every kind and texts of another model, side by side: each is what it is alone."""
    async with AsyncClient(server.address) as client:

        async def told(seed: int) -> None:
            picture = captioners.picture(seed)
            file, kind = captioners.png(picture), seed % 3
            settings: list[dict[str, Any]] = [{}, {"beam_width": 2 + seed % 5}, {"temperature": 1, "seed": seed}]
            found = [each async for each in client.caption(file, **settings[kind])]
            expected = [
                captioners.told(picture),
                captioners.beam(picture, 2 + seed % 5)[0],
                captioners.told(picture, seed=seed, temperature=1),
            ]
            assert found[-1].captions[0].text == expected[kind].text, f"caption {seed}"

        async def written(seed: int) -> None:
            text = "".join([piece.text async for piece in client.generate(max_characters=300, seed=seed)])
            assert text == writers.decode(writers.written([writers.START], 300, seed=seed)[0])

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for seed in range(60):
                group.create_task(told(seed))
                if seed % 4 == 0:
                    group.create_task(written(seed))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"vocabulary": [*VOCABULARY, "w3"]}, "the vocabulary has a word twice"),
        ({"start": 0}, r"end, start and unknown are tokens \[0, 0, 2\] of 32"),
        ({"unknown": 32}, r"end, start and unknown are tokens \[0, 1, 32\] of 32"),
        ({"max_words": 0}, "max_words: 0, at least 1"),
        ({"length_penalty": -1}, "length_penalty: -1, at least 0"),
        ({"grid_height": 3}, "the manifest has 3 x 3 places, graph 'step' tells of 6"),
    ],
)
def test_manifest_that_contradicts_its_graphs_is_refused(change: dict[str, Any], text: str, tmp_path: Path) -> None:
    """What is wrong with a manifest is found when it loads."""
    task = captioners.task()
    for name, value in change.items():
        task.ClearField(name)
        task.MergeFrom(Captioning(**{name: value}))
    with pytest.raises(InvalidArtifact, match=text):
        captioner.check(task, captioners.open_sessions(tmp_path))


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    """So is a graph that takes other pictures than the manifest makes."""
    task = captioners.task()
    task.image.height = 5
    with pytest.raises(InvalidArtifact, match=r"UINT8\[5, 6, 3\], graph 'encode' takes 'image' UINT8\[-1, 4, 6, 3\]"):
        captioner.check(task, captioners.open_sessions(tmp_path))


def test_upright_pictures_are_looked_at(channel: grpc.Channel) -> None:
    """A picture that lies on its side by its EXIF orientation is told of, and measured, upright."""
    lying, file = Image.fromarray(np.rot90(PICTURE)), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(file, "PNG", exif=exif)
    responses = caption(channel, file.getvalue())
    assert (responses[0].height, responses[0].width) == PICTURE.shape[:2]
    assert words(responses) == captioners.told(PICTURE).text.split()
