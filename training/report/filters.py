"""What the first layer looks for: its weights as small pictures.

Legend: F filters, H height, W width, C channels, I inputs.
"""

import math
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from protos.manifest_pb2 import ImageInput
from training.report import mosaic
from training.report.page import Section, tile
from training.run import Run

_FILE: Final = "filters.png"
_MOST: Final = 96


def section(trained: Run, folder: Path) -> Section | None:
    """Draws the filters of the layer that sees the picture; none where its weights make no picture."""
    image = trained.task.image
    filters_FHWC = first(trained.net, image)
    if filters_FHWC is None:
        return None
    order_F = np.argsort(-np.square(filters_FHWC).sum((1, 2, 3)), kind="stable")[:_MOST]
    shown_FHWC = filters_FHWC[order_F]
    is_grey = image.channels == 1
    drawn = [
        mosaic.signed(each_HWC[..., 0], float(np.abs(each_HWC).max())) if is_grey else mosaic.around_grey(each_HWC)
        for each_HWC in shown_FHWC
    ]
    mosaic.save(drawn, mosaic.columns(len(drawn)), folder / _FILE)
    total, height, width, _ = filters_FHWC.shape
    which = f"The {len(drawn)} strongest of its {total}" if total > len(drawn) else f"Its {total}"
    colours = (
        "Red weights ask for bright pixels, blue ones for dark, white ones do not matter."
        if is_grey
        else "A filter asks for what it looks like; grey does not matter."
    )
    return Section(
        title="What the first layer looks for",
        about=f"{which} filters of {height} x {width} pixels, the longest first, each scaled by itself. {colours}",
        body=f'<div class="mosaic">{tile(_FILE, "The weights of the first filters", "")}</div>',
    )


def first(net: nn.Module, image: ImageInput) -> NDArray[np.float32] | None:
    """Gives the weights f32[F,H,W,C] of the first layer: a convolution, or units that see all pixels."""
    layer = next((layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)), None)
    if layer is None:
        return None
    weights: NDArray[np.float32] = layer.weight.detach().numpy()
    shape_CHW = (image.channels, image.height, image.width)
    if isinstance(layer, nn.Linear):
        fits = layer.in_features == math.prod(shape_CHW)
        return weights.reshape(-1, *shape_CHW).transpose(0, 2, 3, 1) if fits else None
    return weights.transpose(0, 2, 3, 1) if layer.in_channels == image.channels else None
