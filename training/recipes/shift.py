"""Moves the picture."""

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import Kernels, Padding, shift


def build(*, right_px: int, down_px: int, padding: Padding) -> nn.Module:
    """Gives the net."""
    return Kernels((shift(right_px, down_px),), padding)


RECIPE = FixedRecipe(
    name="shift",
    summary="Moves a picture to the right and down; what leaves it comes in at the other side.",
    source='Gonzalez, Woods, "Digital image processing", 4th edition, 2018, 3.5',
    build=build,
    net={"right_px": 4, "down_px": 4, "padding": "circular"},
    gives="filtered",
    channels=3,
)
