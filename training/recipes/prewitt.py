"""Prewitt's kernels: the derivative, averaged across it."""

from typing import Literal

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import PREWITT_X, Gradient, Padding


def build(*, direction: Literal["x", "y", "both"], padding: Padding) -> nn.Module:
    """Gives the net."""
    return Gradient(PREWITT_X, direction, padding)


RECIPE = FixedRecipe(
    name="prewitt",
    summary="Says how fast a picture's grey changes at each pixel, by Prewitt's kernels.",
    source='Prewitt, "Object enhancement and extraction", 1970',
    build=build,
    net={"direction": "both", "padding": "replicate"},
    gives="edges",
    channels=1,
    reach_px=1,
)
