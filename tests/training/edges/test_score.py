import pytest
import torch

from training.edges.consensus import DISPUTED, EDGE, NONE
from training.edges.score import PixelScore


def test_f_is_that_of_the_best_threshold() -> None:
    """Above 0.6 two of three edges are found and nothing else: P 1, R 2/3; what is disputed does not count."""
    edges_HW = torch.tensor([[0.95, 0.75, 0.25, 0.55, 0.35, 0.99]])
    truth_HW = torch.tensor([[EDGE, EDGE, EDGE, NONE, NONE, DISPUTED]], dtype=torch.uint8)
    score = PixelScore()
    score.add(edges_HW, truth_HW)
    assert score.best() == pytest.approx(2 * (2 / 3) / (1 + 2 / 3))


def test_pictures_are_counted_together_until_reset() -> None:
    """Two pictures have one best threshold; after a reset nothing is left."""
    score = PixelScore()
    score.add(torch.tensor([[0.9, 0.1]]), torch.tensor([[EDGE, NONE]], dtype=torch.uint8))
    assert score.best() == pytest.approx(1)
    score.add(torch.tensor([[0.05, 0.95]]), torch.tensor([[EDGE, NONE]], dtype=torch.uint8))
    assert score.best() == pytest.approx(2 / 3)
    score.reset()
    assert score.best() == 0
