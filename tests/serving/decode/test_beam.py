"""Captions on the decode loop: beams find what a plain search finds, whoever joins, leaves or writes beside them."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hondo.errors import DeadlineExceeded, InvalidArtifact, Unavailable
from serving.batching.batcher import Queueing
from serving.decode.graphs import Graphs
from serving.decode.job import End, Job, Piece, Search
from serving.decode.loop import Loop
from serving.telemetry.tally import Outcome
from tests.serving import captioners
from tests.serving.captioners import END, MOST, START, Picture, Told
from tests.serving.decode.looping import everything, looping, new_tally, until

SIZES = (1, 2, 3, 4, 6, 8)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    return captioners.open_graphs(tmp_path_factory.mktemp("teller"))


def job(picture: Picture, *, temperature: float = 0, top_k: int = 0, limit: int = MOST, **settings: Any) -> Job:
    """Gives a job that tells of a picture."""
    twin = captioners.Twin.of(picture)
    features = np.array(twin.light, np.float32)[:, np.newaxis]
    constants: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": 1.0,
        "features": features,
        "keys": -features,
    }
    return Job(
        tokens_T=np.array([START]),
        limit=limit,
        constants=constants,
        state=[np.array([twin.hash], np.float32)],
        stops=() if "search" in settings else [np.array([END])],
        **settings,
    )


def beam_job(picture: Picture, width: int, penalty: float = 0, **settings: Any) -> Job:
    search = Search(end=END, length_penalty=penalty, **settings)
    return job(picture, rows=width, search=search)


def endless(picture: Picture, width: int) -> Job:
    """Gives a beam that never ends by itself, as none of its tokens is its end; nor soon by its length."""
    return job(picture, rows=width, limit=20_000, search=Search(end=-1))


async def pieces(loop: Loop, asked: Job) -> list[Piece]:
    """Takes a job to its end; gives what each row came to."""
    found = await everything(loop, loop.begin(asked))
    return [found[row] for row in sorted(found)]


def as_told(piece: Piece) -> Told:
    tokens, places = piece.tokens_T.tolist(), piece.attention_TP.argmax(axis=1).tolist()
    return Told(tuple(tokens), tuple(piece.log_probability_T.tolist()), tuple(places))


async def test_row_tells_what_the_model_says(graphs: Graphs) -> None:
    """Words, their log-probabilities, where it looked and the end are the model's own."""
    picture = captioners.picture(1)
    async with looping(graphs, SIZES) as loop:
        (piece,) = await pieces(loop, job(picture))
    expected = captioners.told(picture)
    assert as_told(piece) == expected
    assert piece.end is (End.STOP if expected.is_over else End.LENGTH)


async def test_rows_by_chance_have_chances_of_their_own(graphs: Graphs) -> None:
    """Several captions of one picture, more than there are slots, each by the numbers of its row."""
    picture = captioners.picture(2)
    async with looping(graphs, (1, 2)) as loop:
        found = await pieces(loop, job(picture, temperature=1, rows=5, seed=9))
    expected = [captioners.told(picture, seed=9, row=row, temperature=1) for row in range(5)]
    assert [as_told(piece) for piece in found] == expected
    assert len(set(expected)) == 5


@pytest.mark.parametrize("penalty", [0, 0.7, 2])
@pytest.mark.parametrize("width", [2, 3, 5, 8])
async def test_beam_finds_what_a_plain_search_finds(graphs: Graphs, width: int, penalty: float) -> None:
    """The best caption of a beam, and all of it where all are wanted, are those of a search without any cleverness."""
    async with looping(graphs, SIZES) as loop:
        for seed in range(12):
            picture = captioners.picture(seed)
            expected = captioners.beam(picture, width, length_penalty=penalty)
            (best, *_) = await pieces(loop, beam_job(picture, width, penalty))
            assert as_told(best) == expected[0]
            everything = await pieces(loop, beam_job(picture, width, penalty, wanted=width))
            assert [as_told(piece) for piece in everything] == expected
            assert [piece.end for piece in everything] == [
                End.STOP if each.is_over else End.LENGTH for each in expected
            ]


async def test_beams_and_rows_share_steps(graphs: Graphs) -> None:
    """Many beams of several widths and many single rows at once, more than there are slots: each as it is alone."""
    async with looping(graphs, SIZES) as loop:
        jobs = [
            beam_job(captioners.picture(seed), 2 + seed % 5) if seed % 2 else job(captioners.picture(seed))
            for seed in range(30)
        ]
        found = await asyncio.gather(*[pieces(loop, each) for each in jobs])
    for seed, came in enumerate(found):
        picture = captioners.picture(seed)
        expected = captioners.beam(picture, 2 + seed % 5)[0] if seed % 2 else captioners.told(picture)
        assert as_told(came[0]) == expected, f"job {seed}"


async def test_limit_ends_a_beam(graphs: Graphs) -> None:
    """A beam that has come to as many words as it may is given as it is."""
    picture = captioners.picture(3)
    async with looping(graphs, SIZES) as loop:
        asked = beam_job(picture, 4, wanted=4)
        asked.limit = 2
        found = await pieces(loop, asked)
    assert [as_told(piece) for piece in found] == captioners.beam(picture, 4, 2)
    assert {piece.end for piece in found} == {End.LENGTH}


async def test_best_so_far_is_given_if_asked(graphs: Graphs) -> None:
    """After each step comes what is best so far, all of it; it grows to be the caption."""
    picture = next(
        each for each in map(captioners.picture, range(99)) if len(captioners.beam(each, 3)[0].tokens) == MOST
    )
    drafts: list[Piece] = []
    async with looping(graphs, SIZES) as loop:
        # On a busy machine all may be said before anybody takes a draft.
        for _ in range(50):
            stream = loop.begin(beam_job(picture, 3, shows_best=True))
            while (taken := await stream.take())[0].end is None:
                drafts += taken
            if drafts:
                break
    assert drafts
    for draft in drafts:
        length = len(draft.tokens_T)
        assert draft.is_whole
        assert as_told(draft) == captioners.beam(picture, 3, length)[0]


async def test_a_later_draft_takes_the_place_of_one_that_nobody_took(graphs: Graphs) -> None:
    """A reader that comes late gets the captions and none of the drafts."""
    tally = new_tally()
    picture = captioners.picture(3)
    async with looping(graphs, SIZES, tally=tally) as loop:
        stream = loop.begin(beam_job(picture, 3, shows_best=True))
        await until(lambda: stream.is_over)
        found = await stream.take()
    assert [piece.end is not None for piece in found] == [True] * 3


async def test_beam_waits_for_room_for_all_of_it(graphs: Graphs) -> None:
    """A beam joins when all of its rows can, and keeps its place in the line until then."""
    async with looping(graphs, (1, 2, 3, 4)) as loop:
        ahead = [asyncio.ensure_future(pieces(loop, job(captioners.picture(seed)))) for seed in range(3)]
        wide = asyncio.ensure_future(pieces(loop, beam_job(captioners.picture(7), 4)))
        behind = asyncio.ensure_future(pieces(loop, job(captioners.picture(8))))
        await asyncio.gather(*ahead, wide, behind)
        assert as_told(wide.result()[0]) == captioners.beam(captioners.picture(7), 4)[0]
        assert as_told(behind.result()[0]) == captioners.told(captioners.picture(8))


async def test_cancelled_beam_frees_all_of_its_slots(graphs: Graphs) -> None:
    """A beam whose reader leaves is gone before the next step: as wide a one begins at once."""
    tally = new_tally()
    async with looping(graphs, (1, 2, 4), tally=tally) as loop:
        for seed in range(6):
            stream = loop.begin(endless(captioners.picture(seed), 4))
            await until(lambda: tally.running_rows.value == 4)
            loop.leave(stream)
        found = await pieces(loop, beam_job(captioners.picture(3), 4))
        assert as_told(found[0]) == captioners.beam(captioners.picture(3), 4)[0]
        await until(lambda: tally.running_rows.value == 0)
    assert tally.requests[Outcome.CANCELLED].value == 6
    with pytest.raises(Unavailable, match="its reader has left"):
        await stream.take()


async def test_beam_that_waits_too_long_fails(graphs: Graphs) -> None:
    """A beam that finds no room in its time is refused, and nothing of it is left in the line."""
    async with looping(graphs, (1, 2, 4), queueing=Queueing(timeout_ms=20)) as loop:
        first = loop.begin(endless(captioners.picture(2), 2))
        with pytest.raises(DeadlineExceeded, match="waited 20 ms to begin"):
            await loop.begin(beam_job(captioners.picture(1), 4)).take()
        loop.leave(first)
        found = await pieces(loop, beam_job(captioners.picture(1), 4))
    assert as_told(found[0]) == captioners.beam(captioners.picture(1), 4)[0]


async def test_failing_graph_fails_its_beam(graphs: Graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step raises goes to those that it was run for; the loop goes on."""
    async with looping(graphs, SIZES) as loop:
        run = loop._batch.run
        monkeypatch.setattr(loop._batch, "run", lambda _options, **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await pieces(loop, beam_job(captioners.picture(1), 3))
        monkeypatch.setattr(loop._batch, "run", run)
        found = await pieces(loop, beam_job(captioners.picture(1), 3))
    assert as_told(found[0]) == captioners.beam(captioners.picture(1), 3)[0]


def test_graphs_must_fit_together(tmp_path: Path) -> None:
    """What "encode" gives of a picture must be what "step" takes."""
    sessions = captioners.open_sessions(tmp_path)
    with pytest.raises(InvalidArtifact, match="what makes captions has graphs 'encode' and 'step'; here are step"):
        Graphs.of_captioner({"step": sessions["step"]})
    with pytest.raises(InvalidArtifact, match=r"graph 'step' takes 'features' .* but 'encode' gives 'next_token'"):
        Graphs.of_captioner({"encode": sessions["step"], "step": sessions["step"]})
