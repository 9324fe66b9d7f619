"""The running average of the weights, which scores better than the weights themselves (Polyak and Juditsky 1992)."""

from collections.abc import Callable

import torch
from torch import Tensor

# So many updates count fully at first, so that short runs do not average in the random weights they started with.
_WARMUP_UPDATES = 10


def running_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Gives the function that updates an average: averaged, current and number of updates so far to averaged.

    Args:
        decay: share of itself that the average keeps, once there were enough updates.
    """

    def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        kept = torch.as_tensor((updates + 1) / (updates + _WARMUP_UPDATES)).clamp(max=decay)
        # lerp leaves constants exactly as they are.
        return torch.lerp(averaged, current, (1 - kept).to(averaged.dtype))

    return average
