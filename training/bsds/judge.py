"""A served edge detector on the benchmark: its maps asked for one after the other, and judged side by side.

Legend: H height, W width, A annotators.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo import suppression
from hondo.client import Client
from hondo.edges import each_in_turn
from hondo.errors import InvalidRequest, WrongTask
from hondo.maps import Detected
from training.bsds import counts, scores
from training.bsds.counts import Counts
from training.bsds.scores import Scores
from training.data import bsds500
from training.data.bsds500 import Drawn, Split

# Maps that wait for a process to judge them, for each process.
_WAITING: Final = 2


@dataclass(frozen=True, kw_only=True)
class Judging:
    """How a detector is judged."""

    split: Split = "test"
    # The first pictures only; all unless given.
    pictures: int | None = None
    thresholds: int = 99
    # Whether its maps are made lines by non-maximum suppression first.
    thin: bool = True
    processes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a served model scores."""

    model: str
    version: int
    pictures: int
    judging: Judging
    scores: Scores


def judge(client: Client, model: str, folder: Path, judging: Judging, done: Callable[[int], None]) -> Judged:
    """Asks a server for the edges of the benchmark's pictures, and scores them.

    Args:
        client: of the server.
        model: the edge detector's name.
        folder: BSDS500.
        judging: how.
        done: told how many pictures there are; then, of each that was judged, how many are left.

    Raises:
        MissingData: BSDS500 is not there, or damaged.
        WrongTask: the model detects no edges.
        HondoError: the server does not answer.
    """
    served = client.get_model(model)
    if not served.manifest.HasField("edge_detection"):
        raise WrongTask(f"{model!r} is no edge detector")
    drawn = bsds500.read(folder, judging.split)[: judging.pictures]
    done(len(drawn))
    paths = [bsds500.picture(folder, judging.split, each.name) for each in drawn]
    answers = each_in_turn(client, paths, model=served.name, version=served.version)
    with ProcessPoolExecutor(judging.processes, get_context("spawn")) as pool:
        counted = []
        for each in _counted(drawn, answers, judging, pool):
            counted.append(each)
            done(len(drawn) - len(counted))
    return Judged(
        model=served.name,
        version=served.version,
        pictures=len(drawn),
        judging=judging,
        scores=scores.score(counted, scores.thresholds(judging.thresholds)),
    )


def count(
    edges_HW: NDArray[np.float32], boundaries_AHW: NDArray[np.bool_], thresholds: Sequence[float], *, thin: bool
) -> Counts:
    """Counts what a map has right; runs in a process of its own."""
    map_HW = suppression.thinned(edges_HW) if thin else edges_HW
    return counts.of_map(map_HW, boundaries_AHW, thresholds)


def _counted(
    drawn: Sequence[Drawn],
    answers: Iterable[Detected | InvalidRequest | OSError],
    judging: Judging,
    pool: ProcessPoolExecutor,
) -> Iterator[Counts]:
    levels = scores.thresholds(judging.thresholds)
    doing: deque[Future[Counts]] = deque()
    for each, answer in zip(drawn, answers, strict=True):
        if not isinstance(answer, Detected):
            raise InvalidRequest(f"{each.name}: {answer}") from answer
        doing.append(pool.submit(count, answer.edges_HW, each.boundaries_AHW, levels, thin=judging.thin))
        while len(doing) > _WAITING * judging.processes:
            yield doing.popleft().result()
    while doing:
        yield doing.popleft().result()
