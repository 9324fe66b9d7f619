"""Averages of the weights, which score better than the weights themselves (Polyak and Juditsky 1992)."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from lightning.pytorch.callbacks import WeightAveraging
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.inputs import STRICT

# So many updates count fully at first, so that short runs do not average in the random weights they started with.
_WARMUP_UPDATES = 10


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Average:
    """Which average takes the place of the weights in validation and export."""

    # "ema" is a running average over all steps; "swa" the plain average of the epochs' last weights (Izmailov et al.
    # 2018), their batch norms' statistics averaged as well.
    kind: Literal["none", "ema", "swa"] = "none"
    # "ema": share that the average keeps of itself at each step.
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.999
    # "swa": share of the epochs after which averaging begins.
    start: Annotated[float, Field(ge=0, lt=1)] = 0.75


class AverageOfEpochs(WeightAveraging):
    """The average of the weights at the ends of the epochs from one on."""

    def __init__(self, first_epoch: int) -> None:
        super().__init__(avg_fn=plain_average)
        self._first_epoch = first_epoch

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Lightning asks after each step and each epoch, from 0."""
        return epoch_idx is not None and epoch_idx >= self._first_epoch


def averaging(settings: Average, epochs: int) -> list[WeightAveraging]:
    """Gives the callback that keeps the average; none for none."""
    match settings.kind:
        case "none":
            return []
        case "ema":
            return [WeightAveraging(avg_fn=running_average(settings.decay))]
        case "swa":
            return [AverageOfEpochs(int(settings.start * epochs))]


def running_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Gives the function that updates an average: averaged, current and number of updates so far to averaged.

    Args:
        decay: share of itself that the average keeps, once there were enough updates.
    """

    def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        kept = torch.as_tensor((updates + 1) / (updates + _WARMUP_UPDATES)).clamp(max=decay)
        return _mixed(averaged, current, 1 - kept)

    return average


def plain_average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
    """Gives the average of `updates` + 1 weights from that of `updates` and the current ones."""
    return _mixed(averaged, current, 1 / torch.as_tensor(updates + 1))


def _mixed(averaged: Tensor, current: Tensor, share: Tensor) -> Tensor:
    # Counters, such as batch norm's, are no averages. lerp leaves constants exactly as they are.
    return torch.lerp(averaged, current, share.to(averaged.dtype)) if averaged.is_floating_point() else current
