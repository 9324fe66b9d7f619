"""Squares cut out of pictures at random: anywhere, turned, scaled and mirrored, with what is an edge in them.

Legend: N crops, C channels (the colours, whether an edge, whether drawn at all), H height, W width, P crop's side.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor
from torch.nn import functional

from training.data.batches import Order
from training.data.bsds500 import Drawn
from training.edges import consensus
from training.edges.consensus import DISPUTED, EDGE, NONE
from training.edges.recipe import Crops
from training.seeds import seed_at

_COLOURS: Final = 3
# Between pixels a line is half as strong at least.
_EDGE_SHARE: Final = 0.4
_DRAWN_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A picture and what counts as an edge in it."""

    image_HWC: Tensor
    # NONE, DISPUTED or EDGE, u8.
    truth_HW: Tensor


def taught(drawn: Drawn, agreement: float) -> Taught:
    """Gives a picture with the annotators' consensus."""
    truth_HW = consensus.consensus(drawn.boundaries_AHW, agreement)
    return Taught(torch.tensor(drawn.image_HWC), torch.from_numpy(truth_HW))


class CropBatches:
    """The batches of one epoch, in an order: image_NCPP f32 in 0..1, and truth_NPP u8."""

    def __init__(self, pictures: Sequence[Taught], crops: Crops, order: Order, seed: int) -> None:
        # A DataLoader's names: Lightning looks there for whom to tell the epoch.
        self.sampler = order
        self.batch_sampler = None
        self._pictures = pictures
        self._crops = crops
        self._seed = seed

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Gives image_NCPP f32 in 0..1 and truth_NPP u8 of each batch."""
        generator = torch.Generator().manual_seed(seed_at(self._seed, self.sampler.epoch, self.sampler.rank))
        for position_N in self.sampler:
            # One picture is cut several times.
            chosen = [self._pictures[position % len(self._pictures)] for position in position_N.tolist()]
            cut = [crop(picture, self._crops, generator) for picture in chosen]
            image_NCPP = torch.stack([image_CPP for image_CPP, _ in cut])
            yield image_NCPP.contiguous(memory_format=torch.channels_last), torch.stack([truth for _, truth in cut])


def crop(picture: Taught, settings: Crops, generator: Generator) -> tuple[Tensor, Tensor]:
    """Gives image_CPP f32 in 0..1 and truth_PP u8 of one crop; what lies beyond the picture is DISPUTED."""
    height, width = picture.truth_HW.shape
    grid_1PP2 = _places(height, width, settings, generator)[None]
    image_CHW = picture.image_HWC.permute(2, 0, 1).float() / 255
    truth_2HW = torch.stack([picture.truth_HW == EDGE, picture.truth_HW != NONE]).float()
    cut_CPP = functional.grid_sample(
        torch.cat([image_CHW, truth_2HW])[None], grid_1PP2, padding_mode="reflection", align_corners=False
    )[0]
    inside_PP = (grid_1PP2[0].abs() <= 1).all(dim=-1)
    return _relit(cut_CPP[:_COLOURS], settings, generator), _truth(cut_CPP[_COLOURS], cut_CPP[_COLOURS + 1], inside_PP)


def _places(height: int, width: int, settings: Crops, generator: Generator) -> Tensor:
    """Gives where each pixel of a crop is from, x and y in -1..1 from side to side of the picture: f32[P,P,2]."""
    mirrored, turned, angle, zoom, across, down = torch.rand(6, generator=generator, dtype=torch.float64).tolist()
    low, high = settings.scale
    scale = low * (high / low) ** zoom
    turn = 2 * math.pi * angle if turned < settings.turned else 0.0
    mirror = -1 if mirrored < settings.flip else 1
    half_px = settings.side_px / 2 / scale
    # The crop lies in the picture as far as it can.
    x, y = (_centre(size, half_px, share) for size, share in ((width, across), (height, down)))
    step_P = (torch.arange(settings.side_px) + 0.5 - settings.side_px / 2) / scale
    down_PP, across_PP = torch.meshgrid(step_P, step_P, indexing="ij")
    x_PP = x + mirror * (math.cos(turn) * across_PP - math.sin(turn) * down_PP)
    y_PP = y + math.sin(turn) * across_PP + math.cos(turn) * down_PP
    return torch.stack([2 * x_PP / width - 1, 2 * y_PP / height - 1], dim=-1).float()


def _centre(size_px: int, half_px: float, share: float) -> float:
    slack_px = max(size_px - 2 * half_px, 0)
    return size_px / 2 + (share - 0.5) * slack_px


def _relit(image_CPP: Tensor, settings: Crops, generator: Generator) -> Tensor:
    lighter, harder = (2 * torch.rand(2, generator=generator, dtype=torch.float64) - 1).tolist()
    mean = image_CPP.mean()
    return ((image_CPP - mean) * (1 + settings.contrast * harder) + mean) * (1 + settings.brightness * lighter)


def _truth(edge_PP: Tensor, drawn_PP: Tensor, inside_PP: Tensor) -> Tensor:
    truth_PP = torch.where(drawn_PP >= _DRAWN_SHARE, DISPUTED, NONE)
    truth_PP = torch.where(edge_PP >= _EDGE_SHARE, EDGE, truth_PP)
    return torch.where(inside_PP, truth_PP, DISPUTED).to(torch.uint8)
