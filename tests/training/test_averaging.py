import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from training.averaging import running_average


def average_of(values: list[float], decay: float) -> float:
    """Gives the average after a weight took these values one after the other."""
    weight = nn.ParameterList([torch.zeros(1)])
    averaged = AveragedModel(weight, avg_fn=running_average(decay))
    for value in values:
        nn.init.constant_(weight[0], value)
        averaged.update_parameters(weight)
    return next(averaged.parameters()).item()


def test_constants_stay_exactly() -> None:
    """What does not change is not rounded away, however many steps there are."""
    constant = float(torch.tensor(0.1307))
    assert average_of([constant] * 1000, 0.999) == constant


def test_forgets_the_start_soon() -> None:
    """After twenty steps the random start hardly counts, though a plain average would keep 98 % of it."""
    assert average_of([100.0] + [1.0] * 20, 0.999) == pytest.approx(1, abs=1)


def test_settles_on_the_decay() -> None:
    """In the long run each step moves the average by its share."""
    before = average_of([0.0] * 500, 0.9)
    assert before == 0
    assert average_of([0.0] * 500 + [1.0], 0.9) == pytest.approx(0.1)
