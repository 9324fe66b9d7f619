"""How the learning rate goes over a run, by torch's schedulers, step by step."""

from collections.abc import Iterable
from typing import Annotated, Literal, assert_never

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
)

from training import optimizers
from training.inputs import STRICT

Share = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Schedule:
    """Which schedule, and its settings; shares are of the run's steps."""

    # "one_cycle" is Smith and Topin's of 2018: up from a 25th, then down to nothing; momentum, whatever the optimiser's
    # own, goes the other way round between 0.95 and 0.85.
    kind: Literal["constant", "step", "cosine", "one_cycle"] = "constant"
    # Share in which the learning rate comes up from (nearly) nothing.
    warmup: Share = 0
    # "step": where it is multiplied by `factor`.
    milestones: tuple[Share, ...] = (0.5, 0.75)
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1

    def __post_init__(self) -> None:
        if self.kind == "step" and min(self.milestones, default=1) < self.warmup:
            raise ValueError(f"milestones {self.milestones} begin before the warmup's end at {self.warmup}")


def scheduler(settings: Schedule, optimizer: Optimizer, steps: int, *, cycle_momentum: bool) -> LRScheduler:
    """Gives the scheduler of an optimiser for so many steps; its learning rate now is the highest."""
    if settings.kind == "one_cycle":
        highest = [group["lr"] for group in optimizer.param_groups]
        # It divides by the steps of each of its two phases.
        total = max(3, steps)
        rise = max(settings.warmup, 2 / total)
        return OneCycleLR(optimizer, highest, total_steps=total, pct_start=rise, cycle_momentum=cycle_momentum)
    warmup = round(settings.warmup * steps)
    after = _after_warmup(settings, optimizer, steps, warmup)
    if not warmup:
        return after
    rising = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
    return SequentialLR(optimizer, [rising, after], milestones=[warmup])


def _after_warmup(settings: Schedule, optimizer: Optimizer, steps: int, warmup: int) -> LRScheduler:
    match settings.kind:
        case "constant":
            return ConstantLR(optimizer, factor=1)
        case "step":
            milestones = [round(share * steps) - warmup for share in settings.milestones]
            return MultiStepLR(optimizer, milestones, settings.factor)
        case "cosine":
            return CosineAnnealingLR(optimizer, T_max=max(1, steps - warmup))
        case "one_cycle":
            raise AssertionError("it warms up by itself")
        case _:
            assert_never(settings.kind)


def stepped(
    settings: Schedule, of: optimizers.Optimizer, parameters: Iterable[nn.Parameter], steps: int | float
) -> OptimizerLRSchedulerConfig:
    """Gives an optimiser and its schedule, moved step by step, as Lightning takes them.

    Args:
        settings: the schedule's.
        of: the optimiser's.
        parameters: what is trained.
        steps: of the whole run.
    """
    made = optimizers.optimizer(of, parameters)
    rates = scheduler(settings, made, int(steps), cycle_momentum=of.has_momentum)
    return {"optimizer": made, "lr_scheduler": {"scheduler": rates, "interval": "step"}}
