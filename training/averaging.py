"""The running average of the weights, which scores better than the weights themselves (Polyak and Juditsky 1992)."""

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

# So many steps count fully at first, so that short runs do not average in the random weights they started with.
_WARMUP_STEPS = 10


class Averaging(WeightAveraging):
    """Keeps the average; validation and the checkpoints' `state_dict` have it instead of the weights.

    Args:
        decay: share of itself that the average keeps at each step, once the run is old enough.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
            share = torch.as_tensor((updates + 1) / (updates + _WARMUP_STEPS)).clamp(max=decay)
            # lerp leaves constants exactly as they are.
            return torch.lerp(averaged, current, (1 - share).to(averaged.dtype))

        super().__init__(avg_fn=average)
