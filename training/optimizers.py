"""The optimisers that a recipe can ask for, by torch."""

from collections.abc import Iterable
from typing import Annotated, Literal, assert_never

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import nn, optim

from training.inputs import STRICT


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Optimizer:
    """Which optimiser, and its settings; those that it does not have are left alone."""

    kind: Literal["sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw"]
    # Learning rate, the highest of the schedule.
    lr: Annotated[float, Field(gt=0)]
    # SGD and RMSProp.
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0
    # SGD: Nesterov's momentum.
    nesterov: bool = False
    # Adadelta: share of the running averages that is kept at each step.
    rho: Annotated[float, Field(gt=0, lt=1)] = 0.95
    # AdamW's acts on the weights themselves (Loshchilov and Hutter 2017), the others' adds to the gradient (L2).
    weight_decay: Annotated[float, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.kind == "sgd" and self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum above 0")

    @property
    def has_momentum(self) -> bool:
        """Whether a schedule may cycle its momentum, or Adam's beta 1, which is the same."""
        return self.kind in {"adam", "adamw"} or (self.kind in {"sgd", "rmsprop"} and self.momentum > 0)


def optimizer(settings: Optimizer, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    """Gives the optimiser of these parameters."""
    lr, decay, momentum = settings.lr, settings.weight_decay, settings.momentum
    match settings.kind:
        case "sgd":
            return optim.SGD(parameters, lr, momentum, weight_decay=decay, nesterov=settings.nesterov)
        case "adagrad":
            return optim.Adagrad(parameters, lr, weight_decay=decay)
        case "adadelta":
            return optim.Adadelta(parameters, lr, rho=settings.rho, weight_decay=decay)
        case "rmsprop":
            return optim.RMSprop(parameters, lr, weight_decay=decay, momentum=momentum)
        case "adam":
            return optim.Adam(parameters, lr, weight_decay=decay)
        case "adamw":
            return optim.AdamW(parameters, lr, weight_decay=decay)
        case _:
            assert_never(settings.kind)
