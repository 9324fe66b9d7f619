"""From the bytes of pictures to what a net takes: the training step and the served graph both run this code.

Legend: N batch, H height, W width, C channels, P pixels of the border.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Pixels(nn.Module):
    """Scales, optionally inverts, and normalises pictures.

    Args:
        mean: per channel, of values in 0..1.
        std: per channel, of values in 0..1.
        bright_on_dark: makes light pictures dark: each one whose outermost ring of pixels is on average brighter than
            half is inverted, so that black ink on white paper reads as white on black.
    """

    mean_C11: Tensor
    std_C11: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], bright_on_dark: bool = False) -> None:
        super().__init__()
        if len(mean) != len(std) or min(std, default=0) <= 0:
            raise ValueError(f"one mean and one positive std are needed for each channel, not {mean} and {std}")
        self.bright_on_dark = bright_on_dark
        self.register_buffer("mean_C11", torch.tensor(mean, dtype=torch.float32).reshape(-1, 1, 1))
        self.register_buffer("std_C11", torch.tensor(std, dtype=torch.float32).reshape(-1, 1, 1))

    def forward(self, image_NHWC: Tensor) -> Tensor:
        """Gives image_NCHW f32, normalised, of image_NHWC u8."""
        return self.normalise(self.scale(image_NHWC))

    def scale(self, image_NHWC: Tensor) -> Tensor:
        """Gives image_NCHW f32 in 0..1, inverted where `bright_on_dark` asks for it, of image_NHWC u8."""
        image_NCHW = image_NHWC.permute(0, 3, 1, 2).to(torch.float32) / 255
        return _darken(image_NCHW) if self.bright_on_dark else image_NCHW

    def normalise(self, image_NCHW: Tensor) -> Tensor:
        """Gives image_NCHW f32 with the mean taken off and divided by the deviation, of values in 0..1."""
        return (image_NCHW - self.mean_C11) / self.std_C11


def _darken(image_NCHW: Tensor) -> Tensor:
    rows_NCP = image_NCHW[:, :, [0, -1], :].flatten(2)
    columns_NCP = image_NCHW[:, :, 1:-1, [0, -1]].flatten(2)
    brightness_N = torch.cat([rows_NCP, columns_NCP], dim=2).mean(dim=(1, 2))
    return torch.where((brightness_N > 0.5).reshape(-1, 1, 1, 1), 1 - image_NCHW, image_NCHW)
