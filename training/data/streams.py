"""A long text as streams that are read side by side, a window at a time: each batch goes on where the last one ended.

Legend: N streams, T characters of a window.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor

from hondo.errors import MissingData
from training.data.corpus import Corpus
from training.seeds import seed_at

# Validation keeps no gradients: few streams, so that what they begin with, which is hardest, counts little.
_VALIDATION_STREAMS = 16
_VALIDATION_WINDOW = 512


@dataclass(kw_only=True)
class Places:
    """Where the streams of an epoch begin."""

    # Of the whole text.
    characters: int
    # Over all processes together.
    streams: int
    window: int
    # None: from the text's beginning. Else from another character in every epoch.
    shuffle_seed: int | None
    rank: int = 0
    processes: int = 1
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch begins."""
        self.epoch = epoch

    @property
    def length(self) -> int:
        """Characters of a stream that are read; one more is foretold."""
        if self.shuffle_seed is None:
            return (self.characters - 1) // self.streams
        # Whole windows, wherever the first begins: a short one would weigh as much as the others.
        return (self.characters - self.window) // self.streams // self.window * self.window

    def first(self) -> list[int]:
        """Gives the position of each stream's first character, of those that this process reads."""
        offset = 0
        if self.shuffle_seed is not None:
            offset = seed_at(self.shuffle_seed, self.epoch) % self.window
        return [offset + number * self.length for number in range(self.rank, self.streams, self.processes)]


class Streams:
    """The windows of one epoch: what a DataLoader would be if the characters had to be fetched."""

    def __init__(self, text_T: NDArray[np.int64], places: Places) -> None:
        # A DataLoader's names: Lightning looks there for whom to tell the epoch.
        self.sampler = places
        self.batch_sampler = None
        self._text_T = torch.from_numpy(text_T)

    def __len__(self) -> int:
        return math.ceil(self.sampler.length / self.sampler.window)

    def __iter__(self) -> Iterator[Tensor]:
        """Gives tokens i64[N,T+1] of each window: its T tokens, and one that follows them; the last may be shorter."""
        places = self.sampler
        text_NT = torch.stack([self._text_T[first : first + places.length + 1] for first in places.first()])
        for start in range(0, places.length, places.window):
            yield text_NT[:, start : start + places.window + 1]


class StreamData(LightningDataModule):
    """The text that a run trains on and that it is validated with."""

    def __init__(self, corpus: Corpus, streams: int, window: int, seed: int) -> None:
        super().__init__()
        self._corpus = corpus
        self._streams = streams
        self._window = window
        self._seed = seed
        needed = (streams + 1) * window
        if len(corpus.train_T) < needed:
            raise MissingData(
                f"{corpus.source.name} has {len(corpus.train_T):,} characters to train on, but {streams} streams of at "
                f"least one window of {window} take {needed:,}: give a longer text, or a smaller --batch-size or "
                "--set input.window"
            )

    def train_dataloader(self) -> Streams:
        """Gives the windows to train on."""
        return self._read(self._corpus.train_T, self._streams, self._window, self._seed)

    def val_dataloader(self) -> Streams:
        """Gives the windows to validate with; of the text's last characters, fewer than there are streams are left."""
        text_T = self._corpus.validation_T
        return self._read(text_T, min(_VALIDATION_STREAMS, len(text_T) - 1), _VALIDATION_WINDOW, None)

    def _read(self, text_T: NDArray[np.int64], streams: int, window: int, shuffle_seed: int | None) -> Streams:
        assert self.trainer is not None
        places = Places(
            characters=len(text_T),
            streams=streams,
            window=window,
            shuffle_seed=shuffle_seed,
            rank=self.trainer.global_rank,
            processes=self.trainer.world_size,
        )
        return Streams(text_T, places)
