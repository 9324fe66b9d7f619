"""Canny's edges: thin lines that hang together with a strong piece."""

from typing import Literal

from torch import nn

from training.fixed import FixedRecipe
from training.models.canny import Canny


def build(*, sigma_px: float, low: float, norm: Literal["l1", "l2"]) -> nn.Module:
    """Gives the net."""
    return Canny(sigma_px=sigma_px, low=low, norm=norm)


RECIPE = FixedRecipe(
    name="canny",
    summary="Finds thin lines where a picture's grey changes fastest; gives each pixel the threshold that it stands.",
    source='Canny, "A computational approach to edge detection", 1986, as OpenCV computes it',
    build=build,
    net={"sigma_px": 2.0, "low": 0.4, "norm": "l2"},
    gives="edges",
    channels=1,
)
