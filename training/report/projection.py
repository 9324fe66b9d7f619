"""Which pictures excite single maps most, and what in them does.

Zeiler, Fergus, "Visualizing and understanding convolutional networks", 2013, section 2.1 and figure 2; by the guided
backpropagation of Springenberg, Dosovitskiy, Brox, Riedmiller, "Striving for simplicity: the all convolutional net",
2014, section 3.4: a unit's gradient is followed down to the picture, and each ReLU lets only that through which was
above 0 on the way up and is so on the way down.

Legend: N pictures, F maps, P peaks, C channels, H height, W width.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.report import mosaic, stages
from training.report.page import Section, grid, heading, tile
from training.run import Run

_MOST_STAGES: Final = 3
_UNITS: Final = 6
_PEAKS: Final = 4
# Share of the largest value: the fields that a unit sees reach far, but matter little at their edges.
_MATTERS: Final = 0.05
# Values of sample pictures that are looked at, in all and at once: the maps of large ones fill much memory.
_MOST_VALUES: Final = 6_000_000
_VALUES_AT_ONCE: Final = 300_000


@dataclass(frozen=True, slots=True)
class Peak:
    """Where in which picture a map is largest."""

    picture: int
    row: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The largest value of each map in each picture, and its place in the flattened map."""

    # Of the stage.
    name: str
    width: int
    height_NF: Tensor
    place_NF: Tensor

    def strongest(self) -> list[int]:
        """Gives the maps whose highest peaks are highest."""
        mean_F = self.height_NF.topk(min(_PEAKS, len(self.height_NF)), dim=0).values.mean(0)
        units: list[int] = mean_F.topk(min(_UNITS, len(mean_F))).indices.tolist()
        return units

    def of(self, unit: int) -> list[Peak]:
        """Gives a map's highest peaks, each in another picture."""
        pictures: list[int] = self.height_NF[:, unit].topk(min(_PEAKS, len(self.height_NF))).indices.tolist()
        return [Peak(number, *divmod(int(self.place_NF[number, unit]), self.width)) for number in pictures]


def section(trained: Run, folder: Path) -> Section | None:
    """Draws, for some maps of some layers, the pictures that excite them most; None where the net has no maps."""
    image_NHWC = trained.samples.inputs
    image_NHWC = image_NHWC[: max(_PEAKS, _MOST_VALUES // image_NHWC[0].size)]
    net = stages.plain(trained.net)
    with torch.no_grad():
        seen_NCHW = trained.front(torch.tensor(image_NHWC))
        found = peaks(net, seen_NCHW)
    if not found:
        return None
    parts = []
    # What excites the first layer are its filters themselves.
    later = range(min(1, len(found) - 1), len(found))
    for stage in (later[place] for place in stages.some(len(later), _MOST_STAGES)):
        parts.append(heading(found[stage].name))
        tiles = []
        for unit in found[stage].strongest():
            file, places = f"excites-{stage + 1}-{unit + 1}.png", found[stage].of(unit)
            pictures = [place.picture for place in places]
            back_PCHW = guided(net, seen_NCHW[pictures], stage, unit, places)
            _draw(image_NHWC[pictures], back_PCHW.permute(0, 2, 3, 1).numpy(), folder / file)
            tiles.append(tile(file, f"What excites map {unit + 1} of {found[stage].name}", f"map {unit + 1}"))
        parts.append(grid(tiles, "units"))
    return Section(
        title="What excites single maps",
        about=f"Of {len(image_NHWC)} test pictures, above the parts that excite a map most, below what in them does: "
        "the map's answer is followed back through the net by guided backpropagation (Springenberg et al. 2014, after "
        "Zeiler and Fergus 2013).",
        body="".join(parts),
    )


def peaks(net: nn.Module, seen_NCHW: Tensor) -> list[Peaks]:
    """Gives the peaks of every stage's maps in these pictures."""
    batches = [_peaks(net, batch_NCHW) for batch_NCHW in torch.split(seen_NCHW, _at_once(seen_NCHW))]
    return [
        replace(
            same[0],
            height_NF=torch.cat([each.height_NF for each in same]),
            place_NF=torch.cat([each.place_NF for each in same]),
        )
        for same in zip(*batches, strict=True)
    ]


def _peaks(net: nn.Module, seen_NCHW: Tensor) -> list[Peaks]:
    return [
        Peaks(stage.name, stage.maps_NFHW.shape[3], *stage.maps_NFHW.flatten(2).max(2))
        for stage in stages.watch(net, seen_NCHW)
    ]


def guided(net: nn.Module, seen_PCHW: Tensor, stage: int, unit: int, places: Sequence[Peak]) -> Tensor:
    """Gives what in each picture excites a map at a place, f32[P,C,H,W].

    Args:
        net: one that changes nothing in place.
        seen_PCHW: what it takes, the picture of each place.
        stage: which stage's map.
        unit: which map.
        places: in the map.
    """
    count = _at_once(seen_PCHW)
    with _only_what_excites(net):
        return torch.cat(
            [
                _followed_back(net, seen_PCHW[start : start + count], stage, unit, places[start : start + count])
                for start in range(0, len(places), count)
            ]
        )


def _followed_back(net: nn.Module, seen_PCHW: Tensor, stage: int, unit: int, places: Sequence[Peak]) -> Tensor:
    image_PCHW = seen_PCHW.clone().requires_grad_()
    maps_PFHW = stages.watch(net, image_PCHW, stage + 1)[stage].maps_NFHW
    excited = [maps_PFHW[number, unit, place.row, place.column] for number, place in enumerate(places)]
    (back_PCHW,) = torch.autograd.grad(torch.stack(excited).sum(), image_PCHW)
    return back_PCHW


def _at_once(seen_NCHW: Tensor) -> int:
    return max(1, _VALUES_AT_ONCE // seen_NCHW[0].numel())


@contextmanager
def _only_what_excites(net: nn.Module) -> Iterator[None]:
    def rule(_layer: nn.Module, into: tuple[Tensor, ...], _out: object) -> tuple[Tensor, ...]:
        return tuple(gradient.clamp(min=0) for gradient in into)

    hooks = [
        layer.register_full_backward_hook(rule) for layer in net.modules() if isinstance(layer, nn.ReLU | nn.ReLU6)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _draw(image_PHWC: NDArray[np.uint8], back_PHWC: NDArray[np.float32], path: Path) -> None:
    boxes = [box(back_HWC) for back_HWC in back_PHWC]
    side = max(max(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in boxes)
    cuts = [_square(each, side, image_PHWC.shape[1:3]) for each in boxes]
    above = [mosaic.rgb(image_HWC[cut]) for image_HWC, cut in zip(image_PHWC, cuts, strict=True)]
    below = [_shown(back_HWC[cut]) for back_HWC, cut in zip(back_PHWC, cuts, strict=True)]
    mosaic.save([*above, *below], len(cuts), path)


def box(back_HWC: NDArray[np.float32]) -> tuple[slice, slice]:
    """Gives the rows and columns in which something matters; all of them where nothing does."""
    size_HW = np.abs(back_HWC).max(2)
    if not size_HW.any():
        return slice(0, size_HW.shape[0]), slice(0, size_HW.shape[1])
    matters_HW = size_HW >= _MATTERS * size_HW.max()
    rows, columns = np.flatnonzero(matters_HW.any(1)), np.flatnonzero(matters_HW.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _square(each: tuple[slice, slice], side: int, shape_HW: tuple[int, ...]) -> tuple[slice, slice]:
    """Gives a square around a box, moved so that it lies within the picture."""
    rows, columns = (_around(span, min(side, whole), whole) for span, whole in zip(each, shape_HW, strict=True))
    return rows, columns


def _around(span: slice, side: int, whole: int) -> slice:
    start = min(max((span.start + span.stop - side) // 2, 0), whole - side)
    return slice(start, start + side)


def _shown(back_HWC: NDArray[np.float32]) -> NDArray[np.uint8]:
    if back_HWC.shape[2] == 1:
        return mosaic.signed(back_HWC[..., 0], float(np.abs(back_HWC).max()))
    return mosaic.around_grey(back_HWC)
