"""Legend: N streams, T characters of a window."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource, TextGeneration
from training.data.corpus import Corpus
from training.data.streams import Places, StreamData, Streams

# Each character is its own position, so that a window says where it is from.
TEXT = np.arange(103)


def windows(places: Places) -> list[torch.Tensor]:
    found = list(Streams(TEXT, places))
    assert len(found) == len(Streams(TEXT, places))
    return found


def training(**where: int) -> Places:
    return Places(characters=len(TEXT), streams=4, window=5, shuffle_seed=3, **where)


def validating(window: int) -> Places:
    return Places(characters=len(TEXT), streams=4, window=window, shuffle_seed=None)


@pytest.mark.parametrize("places", [training(), training(epoch=9), validating(5), validating(7)])
def test_windows_go_on_where_the_last_ended(places: Places) -> None:
    """In every stream a window begins with the character that the one before only foretold."""
    found = windows(places)
    for before_NT, after_NT in pairwise(found):
        assert torch.equal(before_NT[:, -1], after_NT[:, 0])
    for window_NT in found:
        assert (window_NT.diff(dim=1) == 1).all()


def test_training_reads_whole_windows_from_another_place_in_every_epoch() -> None:
    """All windows are of one length; where the streams begin depends on seed and epoch alone."""
    firsts = set()
    for epoch in range(20):
        found = windows(training(epoch=epoch))
        assert {tuple(window_NT.shape) for window_NT in found} == {(4, 6)}
        firsts.add(int(found[0][0, 0]))
        assert torch.equal(found[0], windows(training(epoch=epoch))[0])
    assert firsts == set(range(5))


def test_validation_foretells_each_character_once() -> None:
    """All characters but the first, and fewer than there are streams, are foretold, each once."""
    foretold = torch.cat([window_NT[:, 1:].flatten() for window_NT in windows(validating(7))])
    assert sorted(foretold.tolist()) == list(range(1, 1 + 4 * (102 // 4)))


def test_processes_share_the_streams() -> None:
    """Two processes read together what one reads alone, each its own streams."""
    whole = windows(training())
    halves = [windows(training(rank=rank, processes=2)) for rank in range(2)]
    for number, window_NT in enumerate(whole):
        assert torch.equal(halves[0][number], window_NT[::2])
        assert torch.equal(halves[1][number], window_NT[1::2])


def test_refuses_a_text_that_is_too_short() -> None:
    """A text without one window for each stream is refused, with what would help."""
    corpus = Corpus(
        source=DataSource(name="note"), task=TextGeneration(vocabulary="ab"), train_T=TEXT[:24], validation_T=TEXT[:5]
    )
    StreamData(corpus, streams=3, window=6, seed=0)
    with pytest.raises(MissingData, match=r"note has 24 characters .* take 30: .*--batch-size or --set input\.window"):
        StreamData(corpus, streams=4, window=6, seed=0)
