"""Legend: N examples, K classes."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from training.answers import judge, probabilities

PROBABILITY_NK = np.array(
    [[0.7, 0.1, 0.2], [0.3, 0.6, 0.1], [0.05, 0.05, 0.9], [0.5, 0.2, 0.3], [1, 0, 0]], dtype=np.float32
)
ANSWERS = judge(PROBABILITY_NK, np.array([0, 0, 1, 2, 2]))


def test_names_the_most_probable_classes_in_order() -> None:
    """Each example's classes come with their probabilities, the most probable first, and that of the truth."""
    assert ANSWERS.classes_NT.tolist() == [[0, 2, 1], [1, 0, 2], [2, 0, 1], [0, 2, 1], [0, 1, 2]]
    np.testing.assert_allclose(ANSWERS.probability_NT[1], [0.6, 0.3, 0.1])
    np.testing.assert_allclose(ANSWERS.true_probability_N, [0.7, 0.3, 0.05, 0.3, 0])


def test_keeps_five_classes() -> None:
    """Of many classes the five most probable are kept."""
    probability_NK = np.full((2, 1000), 1e-4, np.float32)
    probability_NK[:, 990:997] = [[0.1, 0.2, 0.3, 0.05, 0.04, 0.03, 0.02]]
    assert judge(probability_NK, np.array([992, 3])).classes_NT.tolist() == [[992, 991, 990, 993, 994]] * 2


def test_counts_what_is_wrong() -> None:
    """An answer is wrong where the most probable class is not the true one; the loss is -log of the truth's."""
    assert ANSWERS.wrong().tolist() == [False, True, True, True, True]
    np.testing.assert_allclose(ANSWERS.losses()[:4], [-math.log(p) for p in (0.7, 0.3, 0.05, 0.3)], rtol=1e-6)
    assert np.isfinite(ANSWERS.losses()[4])


def test_orders_mistakes_by_their_loss() -> None:
    """The worst mistakes come first, right answers not at all, equal ones in their order."""
    assert ANSWERS.worst().tolist() == [4, 2, 1, 3]


@pytest.mark.parametrize("outputs", [1, 3])
def test_asks_in_batches(outputs: int) -> None:
    """However many examples there are, each gets its own answer; one logit stands for two classes."""
    net = nn.Linear(2, outputs)
    inputs_NF = np.random.default_rng(0).normal(size=(450, 2)).astype(np.float32)
    probability_NK = probabilities(nn.Identity(), net, inputs_NF)
    logits_NK = net(torch.from_numpy(inputs_NF)).detach()
    if outputs == 1:
        expected_N = torch.sigmoid(logits_NK[:, 0])
        np.testing.assert_allclose(probability_NK, torch.stack([1 - expected_N, expected_N], 1), rtol=1e-5)
    else:
        np.testing.assert_allclose(probability_NK, torch.softmax(logits_NK, 1), rtol=1e-5)
