"""Blurs by Gauss's bell."""

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import Kernels, Padding, gaussian


def build(*, side_px: int, sigma_px: float, padding: Padding) -> nn.Module:
    """Gives the net."""
    return Kernels((gaussian(side_px, sigma_px),), padding)


RECIPE = FixedRecipe(
    name="gaussian-blur",
    summary="Makes each pixel the mean of those around it, the near ones counting most.",
    source='Gonzalez, Woods, "Digital image processing", 4th edition, 2018, 3.5',
    build=build,
    net={"side_px": 9, "sigma_px": 1.5, "padding": "reflect"},
    gives="filtered",
    channels=3,
)
