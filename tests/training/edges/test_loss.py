import math

import pytest
import torch

from training.edges.consensus import DISPUTED, EDGE, NONE
from training.edges.loss import balanced_cross_entropy


def test_is_the_papers_sum_by_hand() -> None:
    """One edge among four pixels that count weighs 3/4, each of the three others 1/4; the disputed one nothing."""
    logit_NMHW = torch.tensor([[[[2.0, -1.0, 0.0, -3.0, 9.0]]]])
    truth_NHW = torch.tensor([[[EDGE, NONE, NONE, NONE, DISPUTED]]], dtype=torch.uint8)
    soft = [math.log1p(math.exp(-2)), *(math.log1p(math.exp(logit)) for logit in (-1, 0, -3))]
    expected = (0.75 * soft[0] + 0.25 * sum(soft[1:])) / 5
    assert balanced_cross_entropy(logit_NMHW, truth_NHW).item() == pytest.approx(expected, rel=1e-5)


def test_all_maps_count_alike() -> None:
    """Twice the same map gives twice the loss, and twice the same picture the same."""
    torch.manual_seed(0)
    logit_NMHW = torch.randn(1, 1, 6, 7)
    truth_NHW = torch.randint(0, 3, (1, 6, 7), dtype=torch.uint8)
    once = balanced_cross_entropy(logit_NMHW, truth_NHW).item()
    assert balanced_cross_entropy(logit_NMHW.expand(1, 2, 6, 7), truth_NHW).item() == pytest.approx(2 * once)
    pair = balanced_cross_entropy(logit_NMHW.expand(2, 1, 6, 7), truth_NHW.expand(2, 6, 7)).item()
    assert pair == pytest.approx(once)


def test_a_picture_without_edges_teaches_nothing() -> None:
    """Where nothing is an edge the others weigh nothing, and nothing is divided by zero."""
    for state in (NONE, DISPUTED):
        truth_NHW = torch.full((1, 3, 3), state, dtype=torch.uint8)
        assert balanced_cross_entropy(torch.ones(1, 6, 3, 3), truth_NHW).item() == 0
