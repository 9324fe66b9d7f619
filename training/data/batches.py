"""Batches of examples for the loop: each is cut out of memory at once, and each process gets its share of it.

Legend: N batch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from training.data.dataset import Examples
from training.seeds import seed_at

# Validation keeps no gradients: its batches are limited by memory alone.
_VALIDATION_BATCH = 1000


@dataclass(kw_only=True)
class Order:
    """Which examples are in which batch of an epoch, as far as this process has to see them."""

    examples: int
    # Over all processes together.
    batch_size: int
    # None: as they lie, all of them. Else shuffled anew in every epoch, without a last batch of fewer.
    shuffle_seed: int | None
    rank: int
    processes: int
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch begins."""
        self.epoch = epoch

    def __len__(self) -> int:
        if self.shuffle_seed is None:
            return math.ceil(self.examples / self.batch_size)
        return max(1, self.examples // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        """Gives the positions of each batch's examples, i64[N]."""
        order = self._order()
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start + self.rank : start + self.batch_size : self.processes]

    def _order(self) -> Tensor:
        if self.shuffle_seed is None:
            return torch.arange(self.examples)
        generator = torch.Generator().manual_seed(seed_at(self.shuffle_seed, self.epoch))
        return torch.randperm(self.examples, generator=generator)


class Batches:
    """The batches of one epoch, in an order: what a DataLoader would be if the examples had to be fetched."""

    def __init__(self, examples: Examples, order: Order) -> None:
        # A DataLoader's names: Lightning looks there for whom to tell the epoch.
        self.sampler = order
        self.batch_sampler = None
        self._inputs = torch.from_numpy(examples.inputs)
        self._labels_N = torch.from_numpy(examples.labels_N)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Gives the graph's inputs and label_N i64 of each batch."""
        for position_N in self.sampler:
            yield self._inputs[position_N], self._labels_N[position_N]


class TrainingData(LightningDataModule):
    """The examples that a run trains on and those that it is validated with."""

    def __init__(self, train: Examples, validation: Examples, batch_size: int, seed: int) -> None:
        super().__init__()
        self._train = train
        self._validation = validation
        self._batch_size = batch_size
        self._seed = seed

    def train_dataloader(self) -> Batches:
        """Gives the batches to train on."""
        return self._batches(self._train, self._batch_size, self._seed)

    def val_dataloader(self) -> Batches:
        """Gives the batches to validate with."""
        return self._batches(self._validation, _VALIDATION_BATCH, None)

    def _batches(self, examples: Examples, batch_size: int, shuffle_seed: int | None) -> Batches:
        assert self.trainer is not None
        order = Order(
            examples=len(examples),
            batch_size=batch_size,
            shuffle_seed=shuffle_seed,
            rank=self.trainer.global_rank,
            processes=self.trainer.world_size,
        )
        return Batches(examples, order)


def hold_out(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Parts examples at random into those to train on and a share to validate with."""
    order_N = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed)).numpy()
    count = math.ceil(len(examples) * share)
    return examples.take(order_N[count:]), examples.take(order_N[:count])
