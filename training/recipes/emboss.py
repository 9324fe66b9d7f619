"""Embosses: as if lit from the upper left."""

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import EMBOSS, Kernels, Padding


def build(*, padding: Padding) -> nn.Module:
    """Gives the net."""
    return Kernels((EMBOSS,), padding)


RECIPE = FixedRecipe(
    name="emboss",
    summary="Makes a picture look as if it were a relief that is lit from a corner.",
    source='Gonzalez, Woods, "Digital image processing", 4th edition, 2018, 3.6',
    build=build,
    net={"padding": "reflect"},
    gives="filtered",
    channels=3,
)
