"""The graphs that are served, as PyTorch modules: what an ONNX file computes is one of these modules' forward.

Legend: N batch, K classes.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.losses import widened


class ClassifierGraph(nn.Module):
    """A classifier from what a request brings to probabilities, in evaluation mode."""

    author: Final = "PyTorch"

    def __init__(self, front: nn.Module, net: nn.Module) -> None:
        super().__init__()
        self.front = front
        self.net = net
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Gives probabilities f32[N,K], each row adding up to 1, of what `export.signature` gives for the task."""
        return torch.softmax(widened(self.net(self.front(inputs))), dim=1)

    @torch.inference_mode()
    def answer(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Gives what PyTorch computes: probabilities_NK f32 of the graph's input."""
        probabilities_NK: NDArray[np.float32] = self(torch.tensor(inputs)).numpy()
        return probabilities_NK
