"""Legend: N examples, H height, W width, C channels."""

import numpy as np
import pytest
import torch

from training.data.batches import Batches, Order, hold_out
from training.data.dataset import Examples


def order(*, shuffle_seed: int | None, rank: int = 0, processes: int = 1, epoch: int = 0) -> Order:
    return Order(examples=23, batch_size=5, shuffle_seed=shuffle_seed, rank=rank, processes=processes, epoch=epoch)


def seen(an_order: Order) -> list[int]:
    return torch.cat(list(an_order)).tolist()


def test_shuffles_anew_in_every_epoch() -> None:
    """Training sees other examples first in each epoch, none twice, and no batch smaller than the others."""
    epochs = [seen(order(shuffle_seed=1, epoch=epoch)) for epoch in range(3)]
    assert all(len(set(epoch)) == len(epoch) == 20 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_order_depends_on_seed_and_epoch_alone() -> None:
    """An epoch's order is the same whenever and wherever it is made; another seed makes another."""
    assert seen(order(shuffle_seed=1, epoch=2)) == seen(order(shuffle_seed=1, epoch=2))
    assert seen(order(shuffle_seed=1, epoch=2)) != seen(order(shuffle_seed=2, epoch=2))


def test_epoch_can_be_told() -> None:
    """What Lightning tells before an epoch decides its order."""
    told = order(shuffle_seed=1)
    told.set_epoch(2)
    assert seen(told) == seen(order(shuffle_seed=1, epoch=2))


@pytest.mark.parametrize("shuffle_seed", [None, 1])
def test_processes_share_each_batch(shuffle_seed: int | None) -> None:
    """Two processes see of each batch together what one alone would see."""
    alone = order(shuffle_seed=shuffle_seed)
    shares = [order(shuffle_seed=shuffle_seed, rank=rank, processes=2) for rank in range(2)]
    assert len(shares[0]) == len(shares[1]) == len(alone)
    for batch, *parts in zip(alone, *shares, strict=True):
        assert sorted(torch.cat(parts).tolist()) == sorted(batch.tolist())


def test_validation_sees_every_example_once() -> None:
    """Without shuffling all examples come, as they lie, the last batch being smaller."""
    assert seen(order(shuffle_seed=None)) == list(range(23))
    assert [len(batch) for batch in order(shuffle_seed=None)] == [5, 5, 5, 5, 3]


def test_small_sets_make_one_batch() -> None:
    """Fewer examples than a batch holds are one batch."""
    small = Order(examples=3, batch_size=5, shuffle_seed=1, rank=0, processes=1)
    assert len(small) == 1
    assert sorted(seen(small)) == [0, 1, 2]


def test_batches_hold_examples_with_their_labels() -> None:
    """A batch has what the graph takes, here u8[N,H,W,C], and the label of each."""
    examples = Examples(np.arange(23, dtype=np.uint8).reshape(23, 1, 1, 1).repeat(4, axis=2), np.arange(23))
    batches = Batches(examples, order(shuffle_seed=1))
    assert len(list(batches)) == len(batches) == 4
    for image_NHWC, label_N in batches:
        assert image_NHWC.shape == (5, 1, 4, 1)
        assert image_NHWC[:, 0, 0, 0].tolist() == label_N.tolist()


def test_holds_out_a_share_at_random() -> None:
    """Held-out examples are a share of all, never trained on, and the same for the same seed."""
    examples = Examples(np.zeros((40, 1, 1, 1), np.uint8), np.arange(40))
    train, validation = hold_out(examples, 0.25, seed=3)
    assert (len(train), len(validation)) == (30, 10)
    assert sorted([*train.labels_N, *validation.labels_N]) == list(range(40))
    assert hold_out(examples, 0.25, seed=3)[1].labels_N.tolist() == validation.labels_N.tolist()
    assert hold_out(examples, 0.25, seed=4)[1].labels_N.tolist() != validation.labels_N.tolist()
