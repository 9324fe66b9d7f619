"""Reading in pieces: no token is read twice or left out, and little is computed in vain."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from serving.decode.graphs import Graphs
from serving.decode.job import Job
from serving.decode.reading import LENGTHS, PLACES, Read, Reading
from serving.runtime.session import Session
from tests.serving import writers


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    return writers.open_graphs(tmp_path_factory.mktemp("writer"))


def job(length: int, rows: int = 0) -> Job:
    """Gives a job of so many tokens."""
    return Job(tokens_T=np.random.default_rng(length).integers(0, 32, length), rows=rows)


@pytest.mark.parametrize("length", [*range(2, 140), 500, 1023])
def test_pieces_make_the_whole(length: int) -> None:
    """Each piece begins with the last token of the one before; a run has few tokens more than its piece."""
    read = Read(job(length), [])
    while not read.is_done:
        piece = read.length
        assert 2 <= piece <= length - read.begin
        padded = next(each for each in LENGTHS if each >= piece)
        assert padded - piece <= max(3, piece / 16)
        read.begin += piece - 1
    assert read.begin == length - 1


@pytest.mark.parametrize("characters", [91, 100, 105, 118, 127])
def test_prompt_of_some_lines_takes_one_run(characters: int) -> None:
    """A prompt about as long as one of the runs is not cut for a few tokens, each run costing as much as several."""
    assert Read(job(characters + 1), []).length == characters + 1


def test_jobs_are_read_together(graphs: Graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of several lengths share runs, and each gets its own probabilities and state."""
    shapes = []
    run = Session.run

    def noted(self: Session, feeds: Mapping[str, Any], **settings: Any) -> Any:
        shapes.append(feeds["tokens"].shape)
        return run(self, dict(feeds), **settings)

    monkeypatch.setattr(Session, "run", noted)
    reading = Reading(graphs, (1, 2, 4))
    jobs = [job(length) for length in (1, 2, 9, 60, 300)]
    for each in jobs:
        reading.join(each)
    done: dict[Job, Read] = {}
    while reading.jobs:
        done |= {each.job: each for each in reading.run()}
    assert max(rows for rows, _ in shapes) == 4
    for each in jobs:
        tokens = each.tokens_T.tolist()
        assert np.concatenate(done[each].log_probability_T).tolist() == writers.scores(tokens)
        twin = writers.Twin()
        for token in tokens[:-1]:
            twin.see(token)
        assert done[each].state[0].tolist() == [twin.hash, -twin.hash]


def test_more_than_a_run_takes_take_turns(graphs: Graphs) -> None:
    """Where runs take one job, a long one does not keep the others waiting until its end."""
    reading = Reading(graphs, (1,))
    for length in (2000, *[20] * (PLACES - 1)):
        assert reading.has_room
        reading.join(job(length))
    assert not reading.has_room
    ended = [len(each.job.tokens_T) for _ in range(40) for each in reading.run()]
    assert ended == [*[20] * (PLACES - 1), 2000]
