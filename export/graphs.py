"""The graphs that are served, as PyTorch modules: what an ONNX file computes is one of these modules' forward.

Legend: N batch, H height, W width, C channels, K classes.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# The names of a classifier's tensors.
IMAGE: Final = "image"
PROBABILITIES: Final = "probabilities"


class ClassifierGraph(nn.Module):
    """A classifier from pixels to probabilities, in evaluation mode."""

    def __init__(self, pixels: nn.Module, net: nn.Module) -> None:
        super().__init__()
        self.pixels = pixels
        self.net = net
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Gives probabilities f32[N,K], each row adding up to 1, of image u8[N,H,W,C]."""
        logits_NK = self.net(self.pixels(image))
        return torch.softmax(logits_NK, dim=1)

    @torch.inference_mode()
    def answer(self, image_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Gives what PyTorch computes: probabilities_NK f32 of image_NHWC u8."""
        probabilities_NK: NDArray[np.float32] = self(torch.tensor(image_NHWC)).numpy()
        return probabilities_NK
