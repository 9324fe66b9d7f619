"""Sobel's kernels: the derivative, smoothed across it."""

from typing import Literal

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import SOBEL_X, Gradient, Padding


def build(*, direction: Literal["x", "y", "both"], padding: Padding) -> nn.Module:
    """Gives the net."""
    return Gradient(SOBEL_X, direction, padding)


RECIPE = FixedRecipe(
    name="sobel",
    summary="Says how fast a picture's grey changes at each pixel, by Sobel's kernels.",
    source="Sobel, Feldman, a talk at the Stanford Artificial Intelligence Project, 1968",
    build=build,
    net={"direction": "both", "padding": "replicate"},
    gives="edges",
    channels=1,
    reach_px=1,
)
