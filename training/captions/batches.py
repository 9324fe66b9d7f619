"""Batches of pictures and what people said of them.

Legend: N pictures, V views of each, R captions, T words, P places, C channels.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor

from training.captions.speaker import NOTHING
from training.data.batches import Order
from training.data.captioned import END, START, UNKNOWN, words
from training.seeds import seed_at

# Validation keeps no gradients.
_VALIDATION_BATCH = 100


def encode(captions: Sequence[str], ids: Mapping[str, int], most: int) -> list[list[int]]:
    """Gives the tokens of captions: START, at most so many words, END."""
    return [[START, *[ids.get(word, UNKNOWN) for word in words(caption)[:most]], END] for caption in captions]


class Told:
    """The pictures to train on: features and captions, some views of each, batch by batch."""

    def __init__(
        self, narrow_NVPC: NDArray[np.float16], captions: Sequence[Sequence[Sequence[int]]], order: Order, seed: int
    ) -> None:
        # A DataLoader's names: Lightning looks there for whom to tell the epoch.
        self.sampler = order
        self.batch_sampler = None
        self._narrow_NVPC = narrow_NVPC
        self._captions = captions
        self._seed = seed

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Gives narrow_NPC f16, tokens_NRT i64 and picture_N i64 of each batch.

        Where a picture has fewer captions than another of the batch, its own come again.
        """
        order = self.sampler
        generator = torch.Generator().manual_seed(seed_at(self._seed, order.epoch, order.rank))
        for picture_N in order:
            view_N = torch.randint(self._narrow_NVPC.shape[1], picture_N.shape, generator=generator)
            narrow_NPC = torch.from_numpy(self._narrow_NVPC[picture_N.numpy(), view_N.numpy()])
            yield narrow_NPC, self._tokens(picture_N.tolist()), picture_N

    def _tokens(self, pictures: Sequence[int]) -> Tensor:
        most = max(len(self._captions[picture]) for picture in pictures)
        length = max(len(tokens) for picture in pictures for tokens in self._captions[picture])
        tokens_NRT = torch.full((len(pictures), most, length), NOTHING)
        for place, picture in enumerate(pictures):
            captions = self._captions[picture]
            for number in range(most):
                tokens = captions[number % len(captions)]
                tokens_NRT[place, number, : len(tokens)] = torch.tensor(tokens)
        return tokens_NRT


class Shown:
    """The pictures to validate with: features as the pictures are, batch by batch."""

    def __init__(self, narrow_NVPC: NDArray[np.float16]) -> None:
        self._narrow_NVPC = narrow_NVPC

    def __len__(self) -> int:
        return math.ceil(len(self._narrow_NVPC) / _VALIDATION_BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Gives narrow_NPC f16 and picture_N i64 of each batch."""
        for picture_N in torch.split(torch.arange(len(self._narrow_NVPC)), _VALIDATION_BATCH):
            yield torch.from_numpy(self._narrow_NVPC[picture_N.numpy(), 0]), picture_N


class CaptionData(LightningDataModule):
    """The pictures that a run trains on, and those that it is validated with."""

    def __init__(
        self,
        train_NVPC: NDArray[np.float16],
        captions: Sequence[Sequence[Sequence[int]]],
        validation_NVPC: NDArray[np.float16],
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._train_NVPC, self._captions, self._validation_NVPC = train_NVPC, captions, validation_NVPC
        self._batch_size, self._seed = batch_size, seed

    def train_dataloader(self) -> Told:
        """Gives the batches to train on."""
        assert self.trainer is not None
        order = Order(
            examples=len(self._train_NVPC),
            batch_size=self._batch_size,
            shuffle_seed=self._seed,
            rank=self.trainer.global_rank,
            processes=self.trainer.world_size,
        )
        return Told(self._train_NVPC, self._captions, order, self._seed)

    def val_dataloader(self) -> Shown:
        """Gives the batches to validate with; each process looks at all of them."""
        return Shown(self._validation_NVPC)
