"""Sharpens: the picture less its Laplacian."""

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import SHARPEN, Kernels, Padding


def build(*, padding: Padding) -> nn.Module:
    """Gives the net."""
    return Kernels((SHARPEN,), padding)


RECIPE = FixedRecipe(
    name="sharpen",
    summary="Makes each pixel differ more from the four beside it.",
    source='Gonzalez, Woods, "Digital image processing", 4th edition, 2018, 3.6',
    build=build,
    net={"padding": "reflect"},
    gives="filtered",
    channels=3,
)
