"""What training makes small.

Legend: N batch, K classes.
"""

from collections.abc import Callable
from typing import Annotated, Literal, assert_never

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional

from hondo.errors import InvalidRequest
from training.inputs import STRICT


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Loss:
    """Which loss."""

    # "mse" is the mean square of the probabilities' errors (Brier 1950).
    kind: Literal["cross_entropy", "binary_cross_entropy", "mse"] = "cross_entropy"
    # Share of the truth that is spread over all classes (Szegedy et al. 2015, 7).
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0


def widened(logits: Tensor) -> Tensor:
    """Gives logits_NK f32 of a net's output: f32[N,K] as it is, and f32[N,1] as two classes.

    One logit z stands for the probability sigmoid(z) of the second of two classes, which is softmax([0, z])[1].
    """
    return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits


def loss(settings: Loss, classes: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Gives the function of logits_NK f32 and target_NK f32, each row of which adds up to 1.

    Raises:
        InvalidRequest: binary cross-entropy for more or fewer than two classes.
    """
    if settings.kind == "binary_cross_entropy" and classes != 2:
        raise InvalidRequest(
            f"loss.kind binary_cross_entropy is for two classes, not {classes}: cross_entropy is for any"
        )

    def value(logits_NK: Tensor, target_NK: Tensor) -> Tensor:
        smooth_NK = torch.lerp(target_NK, torch.full_like(target_NK, 1 / classes), settings.label_smoothing)
        match settings.kind:
            case "cross_entropy":
                return functional.cross_entropy(logits_NK, smooth_NK)
            case "binary_cross_entropy":
                logit_N = logits_NK[:, 1] - logits_NK[:, 0]
                return functional.binary_cross_entropy_with_logits(logit_N, smooth_NK[:, 1])
            case "mse":
                return functional.mse_loss(torch.softmax(logits_NK, dim=1), smooth_NK)
            case _:
                assert_never(settings.kind)

    return value
