"""The maps that the layers make of one picture.

Legend: N pictures, F maps, H height, W width, C channels.
"""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from training.report import mosaic, stages
from training.report.page import Section, heading, tile
from training.report.stages import Stage
from training.review import Review
from training.run import Run

_MOST_STAGES: Final = 4
_MOST_MAPS: Final = 32
_PICTURE: Final = "seen.png"


def section(trained: Run, review: Review, folder: Path) -> Section | None:
    """Draws the maps of a picture that the net tells right; None where it has no maps."""
    chosen = next(iter(review.right(len(trained.samples))), 0)
    image_HWC, label = trained.samples.inputs[chosen], trained.task.labels[trained.samples.labels_N[chosen]]
    with torch.inference_mode():
        found = stages.watch(trained.net, trained.front(torch.tensor(image_HWC[None])))
    if not found:
        return None
    mosaic.save([mosaic.rgb(image_HWC)], 1, folder / _PICTURE)
    parts = [f'<div class="tiles">{tile(_PICTURE, f"A test picture: {label}", f"the picture: {label}")}</div>']
    for number in stages.some(len(found), _MOST_STAGES):
        parts += _drawn(found[number], f"maps-{number + 1}.png", folder)
    return Section(
        title="What the layers make of a picture",
        about="Each square is one map of the picture, after its activation: bright where the filter finds what it "
        "looks for, black where it does not. All maps of a layer have the same scale; those that answer most come "
        "first.",
        body="".join(parts),
    )


def _drawn(stage: Stage, file: str, folder: Path) -> list[str]:
    maps_FHW: NDArray[np.float32] = stage.maps_NFHW[0].float().numpy()
    total, height, width = maps_FHW.shape
    shown_FHW = maps_FHW[(-maps_FHW.max((1, 2))).argsort(kind="stable")[:_MOST_MAPS]]
    largest = float(shown_FHW.max())
    mosaic.save([mosaic.amount(map_HW, largest) for map_HW in shown_FHW], mosaic.columns(len(shown_FHW)), folder / file)
    which = f"{total} maps" if total == len(shown_FHW) else f"{len(shown_FHW)} of {total} maps"
    says = f"{stage.name}: {which} of {height} x {width}"
    return [heading(says), f'<div class="mosaic">{tile(file, says, "")}</div>']
