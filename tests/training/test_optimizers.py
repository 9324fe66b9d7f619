from typing import Any, Literal, get_args

import pytest
import torch
from torch import nn

from training.optimizers import Optimizer, optimizer

Kind = Literal["sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw"]


def path(settings: Optimizer, gradients: list[float], start: float = 1.0) -> list[float]:
    """Gives where a weight is after each of some gradients."""
    weight = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    made = optimizer(settings, [weight])
    places = []
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        made.step()
        places.append(weight.item())
    return places


def test_sgd() -> None:
    """Gradient descent goes the learning rate times the gradient."""
    assert path(Optimizer(kind="sgd", lr=0.1), [1.0, -2.0]) == pytest.approx([0.9, 1.1])


def test_momentum() -> None:
    """Momentum adds a share of the last step's velocity: v = 0.9 v + g (Polyak 1964)."""
    assert path(Optimizer(kind="sgd", lr=0.1, momentum=0.9), [1.0, 1.0]) == pytest.approx([0.9, 0.9 - 0.19])


def test_nesterov() -> None:
    """Nesterov's momentum goes by where the velocity will have led: g + 0.9 v (Sutskever et al. 2013)."""
    settings = Optimizer(kind="sgd", lr=0.1, momentum=0.9, nesterov=True)
    assert path(settings, [1.0, 1.0]) == pytest.approx([1 - 0.19, 1 - 0.19 - 0.1 * (1 + 0.9 * 1.9)])


def test_adagrad() -> None:
    """Adagrad divides by the root of the sum of all squares so far (Duchi, Hazan, Singer 2011)."""
    first = 1 - 0.1 * 3 / 3
    assert path(Optimizer(kind="adagrad", lr=0.1), [3.0, 4.0]) == pytest.approx([first, first - 0.1 * 4 / 5])


def test_adadelta() -> None:
    """Adadelta goes by the root of the ratio of its steps' mean square to the gradients' (Zeiler 2012, algorithm 1)."""
    rho, epsilon = 0.9, 1e-6
    square = (1 - rho) * 2.0**2
    step = (epsilon / (square + epsilon)) ** 0.5 * 2.0
    assert path(Optimizer(kind="adadelta", lr=1.0, rho=rho), [2.0]) == pytest.approx([1 - step])


def test_rmsprop() -> None:
    """RMSProp divides by the root of a running mean of squares, keeping 0.99 (Tieleman, Hinton 2012, lecture 6.5)."""
    first = 1 - 0.1 * 2 / (0.01 * 4) ** 0.5
    second = first - 0.1 * 2 / (0.99 * 0.01 * 4 + 0.01 * 4) ** 0.5
    assert path(Optimizer(kind="rmsprop", lr=0.1), [2.0, 2.0]) == pytest.approx([first, second], abs=1e-6)


def test_rmsprop_with_momentum() -> None:
    """RMSProp's steps have momentum where it is asked for."""
    first = 2 / (0.01 * 4) ** 0.5
    second = 0.9 * first + 2 / (0.99 * 0.01 * 4 + 0.01 * 4) ** 0.5
    places = path(Optimizer(kind="rmsprop", lr=0.1, momentum=0.9), [2.0, 2.0])
    assert places == pytest.approx([1 - 0.1 * first, 1 - 0.1 * (first + second)], abs=1e-6)


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_adam(kind: Kind) -> None:
    """Adam divides the mean of the gradients by the root of the mean of squares, both made up for their start at 0."""
    first = 1 - 0.1
    mean, square = (0.1 * 0.9 * 3 - 0.1) / (1 - 0.9**2), (0.001 * 0.999 * 9 + 0.001) / (1 - 0.999**2)
    places = path(Optimizer(kind=kind, lr=0.1), [3.0, -1.0])
    assert places == pytest.approx([first, first - 0.1 * mean / square**0.5], rel=1e-6)


def test_adamw_decays_the_weights_themselves() -> None:
    """AdamW's decay takes its share of the weight, whatever the gradient (Loshchilov, Hutter 2017, algorithm 2)."""
    settings = Optimizer(kind="adamw", lr=0.1, weight_decay=0.5)
    assert path(settings, [0.0], start=2.0) == pytest.approx([2 - 0.1 * 0.5 * 2])


@pytest.mark.parametrize("kind", [kind for kind in get_args(Kind) if kind != "adamw"])
def test_the_others_decay_by_the_gradient(kind: Kind) -> None:
    """Elsewhere the decay adds the weight's share to the gradient: a penalty on the squares of weights."""
    decayed = path(Optimizer(kind=kind, lr=0.1, weight_decay=0.5), [1.0], start=2.0)
    assert decayed == pytest.approx(path(Optimizer(kind=kind, lr=0.1), [1.0 + 0.5 * 2], start=2.0))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_finds_the_bottom_of_a_bowl(kind: Kind) -> None:
    """Each optimiser goes down a bowl that is ten times as steep one way as the other."""
    weight = nn.Parameter(torch.tensor([1.0, 1.0]))
    made = optimizer(Optimizer(kind=kind, lr=1.0 if kind == "adadelta" else 0.05), [weight])
    steepness = torch.tensor([10.0, 1.0])
    start = (steepness * weight.detach() ** 2).sum()
    for _ in range(300):
        made.zero_grad()
        (steepness * weight**2).sum().backward()  # type: ignore[no-untyped-call]  # torch's own is untyped
        made.step()
    assert (steepness * weight.detach() ** 2).sum() < start / 10


@pytest.mark.parametrize(
    ("settings", "has"),
    [
        ({"kind": "sgd"}, False),
        ({"kind": "sgd", "momentum": 0.9}, True),
        ({"kind": "rmsprop", "momentum": 0.9}, True),
        ({"kind": "adam"}, True),
        ({"kind": "adamw"}, True),
        ({"kind": "adagrad", "momentum": 0.9}, False),
        ({"kind": "adadelta", "momentum": 0.9}, False),
    ],
)
def test_knows_what_momentum_a_schedule_may_move(settings: dict[str, Any], has: bool) -> None:
    """Only an optimiser that has momentum, and is asked to use it, has some that a schedule can move."""
    made = Optimizer(lr=0.1, **settings)
    assert made.has_momentum is has
    group = optimizer(made, [nn.Parameter(torch.zeros(1))]).param_groups[0]
    assert has <= ("momentum" in group or "betas" in group)


@pytest.mark.parametrize(
    "settings", [{"lr": 0.0}, {"momentum": 1.0}, {"rho": 0.0}, {"weight_decay": -1.0}, {"kind": "newton"}]
)
def test_refuses_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    """An optimiser is checked when it is made, and the text names the setting."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        Optimizer(**{"kind": "sgd", "lr": 0.1, **settings})


def test_refuses_nesterov_without_momentum() -> None:
    """Nesterov's momentum needs some; that of other optimisers is left alone, so that the kind alone can be changed."""
    with pytest.raises(ValueError, match="nesterov needs momentum"):
        Optimizer(kind="sgd", lr=0.1, nesterov=True)
    Optimizer(kind="adam", lr=0.1, nesterov=True)
