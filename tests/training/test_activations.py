import math
from typing import get_args

import pytest
import torch

from training.activations import Activation, activation


@pytest.mark.parametrize(
    ("name", "at_minus_one", "at_two"),
    [
        ("relu", 0.0, 2.0),
        ("leaky_relu", -0.01, 2.0),
        ("tanh", math.tanh(-1), math.tanh(2)),
        ("lecun_tanh", -1.7159 * math.tanh(2 / 3), 1.7159 * math.tanh(4 / 3)),
    ],
)
def test_names_mean_what_they_say(name: Activation, at_minus_one: float, at_two: float) -> None:
    """Each name gives the function of its source."""
    torch.testing.assert_close(
        activation(name)(torch.tensor([-1.0, 0.0, 2.0])), torch.tensor([at_minus_one, 0, at_two])
    )


def test_lecun_tanh_keeps_one() -> None:
    """LeCun's constants are chosen so that 1 stays 1 and the slope bends most there."""
    squash = activation("lecun_tanh")
    assert squash(torch.ones(1)).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", get_args(Activation))
def test_has_no_parameters(name: Activation) -> None:
    """A checkpoint does not tell which activation was used, so any may be loaded into a net with another."""
    assert not activation(name).state_dict()
