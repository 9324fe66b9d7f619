"""Random distortions of training examples, those of pictures by kornia on whole batches.

Legend: N batch, C channels, H height, W width, T words.
"""

import math
from collections.abc import Iterator
from typing import Final

import torch
from kornia.augmentation import (
    ColorJitter,
    RandomAffine,
    RandomCrop,
    RandomElasticTransform,
    RandomHorizontalFlip,
    RandomResizedCrop,
)
from torch import Tensor, nn

from hondo.errors import InvalidRequest
from hondo.text import PADDING, UNKNOWN
from training.augmentation import Augmentation

# A Gaussian is cut off so many standard deviations from its middle.
_GAUSSIAN_REACH: Final = 1.5

# Krizhevsky, Sutskever, Hinton 2012, 4.1: principal components of ImageNet's RGB values in 0..1 and their deviations;
# the figures are those of Facebook's ResNet training (fb.resnet.torch, 2016).
_COLOUR_DEVIATION_3: Final = (0.2175, 0.0188, 0.0045)
_COLOUR_COMPONENT_33: Final = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


def augment(settings: Augmentation, height: int, width: int, channels: int) -> nn.Module:
    """Gives the module that distorts image_NCHW f32 in 0..1, black (0) coming in from outside.

    Args:
        settings: how strongly.
        height: H, pixels.
        width: W, pixels.
        channels: C.

    Raises:
        InvalidRequest: grey pictures' colours are to be distorted.
    """
    if settings.needs_colours and channels == 1:
        raise InvalidRequest("augmentation: saturation, hue and pca_colour are for colour pictures, these are grey")
    return nn.Sequential(*_shapes(settings, (height, width)), *_colours(settings))


def _shapes(settings: Augmentation, size: tuple[int, int]) -> Iterator[nn.Module]:
    if settings.flip:
        yield RandomHorizontalFlip(p=settings.flip)
    if settings.pad_px:
        yield RandomCrop(size, padding=settings.pad_px, cropping_mode="resample", resample="nearest")
    if settings.crop_share:
        yield RandomResizedCrop(size, scale=(settings.crop_share, 1), ratio=(3 / 4, 4 / 3), cropping_mode="resample")
    if settings.rotation_deg or settings.shift or settings.scale or settings.shear_deg:
        yield RandomAffine(
            degrees=settings.rotation_deg,
            translate=(settings.shift, settings.shift),
            scale=(1 - settings.scale, 1 + settings.scale),
            shear=settings.shear_deg,
            p=1,
        )
    if settings.elastic_alpha:
        reach_px = math.ceil(_GAUSSIAN_REACH * settings.elastic_sigma_px)
        yield RandomElasticTransform(
            kernel_size=(2 * reach_px + 1, 2 * reach_px + 1),
            sigma=(settings.elastic_sigma_px, settings.elastic_sigma_px),
            alpha=(settings.elastic_alpha, settings.elastic_alpha),
            p=1,
        )


def _colours(settings: Augmentation) -> Iterator[nn.Module]:
    if settings.brightness or settings.contrast or settings.saturation or settings.hue:
        yield ColorJitter(settings.brightness, settings.contrast, settings.saturation, settings.hue, p=1)
    if settings.pca_colour:
        yield PcaColour(settings.pca_colour)
    if settings.cutout:
        yield Cutout(settings.cutout, settings.cutout_px)


class WordDropout(nn.Module):
    """Makes words unknown, so that the net relies on no single one, and learns what an unknown one says.

    Args:
        share: of the words.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def forward(self, tokens_NT: Tensor) -> Tensor:
        """Gives tokens_NT i64 of such; what fills a text up stays."""
        hidden_NT = (torch.rand(tokens_NT.shape, device=tokens_NT.device) < self._share) & (tokens_NT != PADDING)
        return tokens_NT.masked_fill(hidden_NT, UNKNOWN)


class PcaColour(nn.Module):
    """Shifts each picture's colours along their principal components (Krizhevsky et al. 2012, 4.1).

    Args:
        deviation: of the random factor of each component's own deviation; 0.1 in the paper.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self._deviation = deviation
        component_33 = torch.tensor(_COLOUR_COMPONENT_33)
        self.register_buffer("step_33", component_33 * torch.tensor(_COLOUR_DEVIATION_3), persistent=False)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives image_NCHW f32 in 0..1 of such."""
        factor_N3 = self._deviation * torch.randn(len(image_NCHW), 3, device=image_NCHW.device)
        shift_NC = factor_N3 @ self.get_buffer("step_33").T
        return (image_NCHW + shift_NC[:, :, None, None]).clamp(0, 1)


class Cutout(nn.Module):
    """Blacks out a square anywhere, part of which may lie outside (DeVries and Taylor 2017, 3).

    Args:
        share: of the pictures.
        side_px: of the square.
    """

    def __init__(self, share: float, side_px: int) -> None:
        super().__init__()
        self._share = share
        self._side_px = side_px

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives image_NCHW f32 of such."""
        count, _, height, width = image_NCHW.shape
        rows_NH = self._hidden(count, height, image_NCHW.device)
        columns_NW = self._hidden(count, width, image_NCHW.device)
        chosen_N = torch.rand(count, device=image_NCHW.device) < self._share
        hidden_NHW = rows_NH[:, :, None] & columns_NW[:, None, :] & chosen_N[:, None, None]
        return image_NCHW.masked_fill(hidden_NHW[:, None], 0)

    def _hidden(self, count: int, side: int, device: torch.device) -> Tensor:
        """Gives which of the lines along one side lie in each picture's square."""
        centre_N1 = torch.randint(side, (count, 1), device=device)
        first_N1 = centre_N1 - self._side_px // 2
        line_S = torch.arange(side, device=device)
        return (line_S >= first_N1) & (line_S < first_N1 + self._side_px)
