import math
from typing import get_args

import pytest
import torch
from torch import nn

from training.initialisation import Scheme, initialise

FAN_IN = 8 * 5 * 5
FAN_OUT = 32 * 5 * 5


def convolution(scheme: Scheme) -> nn.Conv2d:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 32, 5)
    initialise(nn.Sequential(layer), scheme)
    return layer


@pytest.mark.parametrize(
    ("scheme", "deviation"),
    [
        ("default", 1 / math.sqrt(3 * FAN_IN)),
        ("lecun", 1 / math.sqrt(FAN_IN)),
        ("xavier", math.sqrt(2 / (FAN_IN + FAN_OUT))),
        ("he", math.sqrt(2 / FAN_IN)),
    ],
)
def test_weights_are_as_wide_as_the_source_says(scheme: Scheme, deviation: float) -> None:
    """The 6,400 weights of a convolution have mean 0 and the deviation that the scheme's paper gives."""
    weight = convolution(scheme).weight
    assert weight.std().item() == pytest.approx(deviation, rel=0.03)
    assert weight.mean().item() == pytest.approx(0, abs=4 * deviation / math.sqrt(weight.numel()))


@pytest.mark.parametrize("scheme", ["lecun", "he"])
def test_normal_schemes_have_tails(scheme: Scheme) -> None:
    """LeCun's and He's weights are normal: of 6,400, some lie beyond three deviations."""
    weight = convolution(scheme).weight
    assert weight.abs().max() > 3 * weight.std()


def test_xavier_is_uniform() -> None:
    """Glorot's weights reach up to their bound and not beyond."""
    bound = math.sqrt(6 / (FAN_IN + FAN_OUT))
    assert 0.99 * bound < convolution("xavier").weight.abs().max() <= bound


@pytest.mark.parametrize("scheme", [scheme for scheme in get_args(Scheme) if scheme != "default"])
def test_biases_start_at_zero(scheme: Scheme) -> None:
    """Every scheme but torch's own starts without bias, and takes layers that have none."""
    layer = nn.Linear(3, 4)
    initialise(nn.Sequential(layer, nn.Conv1d(1, 2, 3, bias=False)), scheme)
    assert torch.count_nonzero(layer.bias) == 0


def test_leaves_other_layers_alone() -> None:
    """Only convolutions and linear layers are drawn."""
    norm, embedding = nn.BatchNorm2d(4), nn.Embedding(5, 6)
    before = embedding.weight.clone()
    initialise(nn.Sequential(norm, embedding), "he")
    assert (norm.weight == 1).all()
    assert torch.equal(embedding.weight, before)
