"""Spectral dropout: Khan, Hayat, Porikli, "Regularization of deep neural networks with spectral dropout", 2019.

Neural Networks 110, pages 82-90, section 3.

Legend: N batch, C channels, H height, W width, S side (H or W).
"""

import math

import torch
from torch import Tensor, nn


class SpectralDropout(nn.Module):
    """Takes maps apart into cosine waves, leaves out the weak ones and some of the others, and puts them together.

    Weak waves are taken for noise. Each of the others is left out at random, as plain dropout leaves out units, and
    those that stay grow by as much on average as was left out. All this is for training; in use maps pass unchanged.

    Args:
        threshold: waves below this amplitude are weak (the paper's tau), in the units of the orthonormal DCT: that of
            a constant map is its value times sqrt(HW).
        dropout: share of the other waves that is left out (1 less the paper's p).
    """

    def __init__(self, *, threshold: float, dropout: float) -> None:
        super().__init__()
        if threshold < 0 or not 0 <= dropout < 1:
            raise ValueError(f"threshold must be at least 0, dropout from 0 to below 1, not {threshold} and {dropout}")
        self.threshold = threshold
        self.dropout = dropout

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Gives maps f32 of the same shape."""
        if not self.training:
            return maps_NCHW
        waves_NCHW = dct(maps_NCHW)
        kept = 1 - self.dropout
        mask_NCHW = (waves_NCHW.abs() >= self.threshold) & (torch.rand_like(waves_NCHW) < kept)
        return inverse_dct(waves_NCHW * mask_NCHW / kept)


def dct(maps_NCHW: Tensor) -> Tensor:
    """Gives the amplitudes of the cosine waves, f32[N,C,H,W]: the orthonormal two-dimensional DCT-II of each map."""
    rows_HH, columns_WW = _bases(maps_NCHW)
    return rows_HH @ maps_NCHW @ columns_WW.T


def inverse_dct(waves_NCHW: Tensor) -> Tensor:
    """Gives the maps, f32[N,C,H,W], of which those are the waves."""
    rows_HH, columns_WW = _bases(waves_NCHW)
    return rows_HH.T @ waves_NCHW @ columns_WW


def _bases(maps_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    return _basis(maps_NCHW.shape[2], maps_NCHW), _basis(maps_NCHW.shape[3], maps_NCHW)


def _basis(side_px: int, like: Tensor) -> Tensor:
    """Gives cosines_SS f32: row k is the wave with k half turns over the side, its length 1."""
    places_S = (torch.arange(side_px, device=like.device) + 0.5) * (math.pi / side_px)
    half_turns_S = torch.arange(side_px, device=like.device)
    cosines_SS = torch.cos(torch.outer(half_turns_S, places_S)) * math.sqrt(2 / side_px)
    cosines_SS[0] /= math.sqrt(2)
    return cosines_SS.to(like.dtype)
