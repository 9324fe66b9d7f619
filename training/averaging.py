"""Averages of the weights, which score better than the weights themselves (Polyak and Juditsky 1992)."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.inputs import STRICT

Tensors = tuple[Tensor, ...] | list[Tensor]
# Changes the averages of weights, given the weights and how many updates there were before.
Update = Callable[[Tensors, Tensors, Tensor | int], None]

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
    """The average of the weights at the ends of the epochs from one on; before it, the last epoch's own.

    Args:
        first_epoch: from 0.
    """

    def __init__(self, first_epoch: int) -> None:
        super().__init__(multi_avg_fn=plain_average)
        self._first_epoch = first_epoch

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Says that no update is due when Lightning asks, which for an epoch is after its validation."""
        return False

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        """Takes in the weights at an epoch's end, so that its validation has them."""
        if not trainer.is_last_batch:
            return
        assert self._average_model is not None
        if trainer.current_epoch <= self._first_epoch:
            # What is averaged first takes the place of all that was there.
            self._average_model.n_averaged.zero_()
        self._average_model.update_parameters(pl_module)


def averaging(settings: Average, epochs: int) -> list[WeightAveraging]:
    """Gives the callback that keeps the average; none for none."""
    match settings.kind:
        case "none":
            return []
        case "ema":
            return [WeightAveraging(multi_avg_fn=running_average(settings.decay))]
        case "swa":
            return [AverageOfEpochs(int(settings.start * epochs))]


def running_average(decay: float) -> Update:
    """Gives the function that updates a running average.

    Args:
        decay: share of itself that the average keeps, once there were enough updates.
    """

    def update(averaged: Tensors, current: Tensors, updates: Tensor | int) -> None:
        kept = torch.as_tensor((updates + 1) / (updates + _WARMUP_UPDATES)).clamp(max=decay)
        _mix(averaged, current, 1 - kept)

    return update


def plain_average(averaged: Tensors, current: Tensors, updates: Tensor | int) -> None:
    """Makes the average of `updates` + 1 weights of that of `updates` and the current ones."""
    _mix(averaged, current, 1 / torch.as_tensor(updates + 1))


def _mix(averaged: Tensors, current: Tensors, share: Tensor) -> None:
    for mine, other in zip(averaged, current, strict=True):
        if mine.is_floating_point():
            # lerp leaves constants exactly as they are.
            mine.lerp_(other, share.to(mine.dtype))
        else:
            # Counters, such as batch norm's, are no averages.
            mine.copy_(other)
