"""Scharr's kernels: a derivative that is nearly the same in all directions."""

from typing import Literal

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import SCHARR_X, Gradient, Padding


def build(*, direction: Literal["x", "y", "both"], padding: Padding) -> nn.Module:
    """Gives the net."""
    return Gradient(SCHARR_X, direction, padding)


RECIPE = FixedRecipe(
    name="scharr",
    summary="Says how fast a picture's grey changes at each pixel, by Scharr's kernels.",
    source='Scharr, "Optimale Operatoren in der digitalen Bildverarbeitung", 2000',
    build=build,
    net={"direction": "both", "padding": "replicate"},
    gives="edges",
    channels=1,
    reach_px=1,
)
