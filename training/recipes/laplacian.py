"""The Laplacian: the second derivative, in all directions alike."""

from torch import nn

from training.fixed import FixedRecipe
from training.models.kernels import Padding, SecondDerivative


def build(*, padding: Padding) -> nn.Module:
    """Gives the net."""
    return SecondDerivative(padding)


RECIPE = FixedRecipe(
    name="laplacian",
    summary="Says how much each pixel differs from the four beside it, by the Laplacian.",
    source='Marr, Hildreth, "Theory of edge detection", 1980, without its smoothing',
    build=build,
    net={"padding": "replicate"},
    gives="edges",
    channels=1,
    reach_px=1,
)
