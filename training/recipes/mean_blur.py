"""Blurs by the mean of a square."""

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import Kernels, Padding, mean


def build(*, side_px: int, padding: Padding) -> nn.Module:
    """Gives the net."""
    return Kernels((mean(side_px),), padding)


RECIPE = FixedRecipe(
    name="mean-blur",
    summary="Makes each pixel the mean of the square around it.",
    source='Gonzalez, Woods, "Digital image processing", 4th edition, 2018, 3.5',
    build=build,
    net={"side_px": 5, "padding": "reflect"},
    gives="filtered",
    channels=3,
)
