"""The graphs that are served, as PyTorch modules: what an ONNX file computes is one of these modules' forward.

Legend: N batch, K classes, C channels, H height, W width, S side outputs, M maps: S side outputs and their fusion.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export import signature
from hondo.artifact import Tensors
from training.losses import widened

# Side of a picture that every net takes.
_SMALLEST_PX: Final = 16


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


class EdgeGraph(nn.Module):
    """An edge detector from pictures of any size to maps, in evaluation mode.

    Args:
        front: image u8[N,H,W,C] to what the net takes.
        net: gives maps f32[N,M,H,W] from 0 to 1: those of several scales, if any, then the one that counts.
        channels: C.
    """

    author: Final = "PyTorch"

    def __init__(self, front: nn.Module, net: nn.Module, channels: int) -> None:
        super().__init__()
        self.front = front
        self.net = net
        self.eval()
        with torch.inference_mode():
            maps = net(front(torch.zeros(1, _SMALLEST_PX, _SMALLEST_PX, channels, dtype=torch.uint8))).shape[1]
        self.gives = signature.gives_edges(maps - 1)

    def forward(self, image_NHWC: Tensor) -> tuple[Tensor, ...]:
        """Gives edges f32[N,H,W] and, where there are any, side_edges f32[N,S,H,W]."""
        maps_NMHW = self.net(self.front(image_NHWC))
        edges_NHW = maps_NMHW[:, -1]
        return (edges_NHW, maps_NMHW[:, :-1]) if len(self.gives) > 1 else (edges_NHW,)

    @torch.inference_mode()
    def answer(self, image_NHWC: NDArray[np.uint8]) -> Tensors:
        """Gives what PyTorch computes, by tensor name."""
        maps = self(torch.tensor(image_NHWC))
        return {given.name: found.numpy() for given, found in zip(self.gives, maps, strict=True)}


class FilterGraph(nn.Module):
    """A filter of pictures of any size.

    Args:
        front: image u8[N,H,W,C] to what the net takes.
        net: gives pictures f32[N,C,H,W].
        channels: C.
    """

    author: Final = "PyTorch"

    def __init__(self, front: nn.Module, net: nn.Module, channels: int) -> None:
        super().__init__()
        self.front = front
        self.net = net
        self.gives = signature.gives_filtered(channels)
        self.eval()

    def forward(self, image_NHWC: Tensor) -> tuple[Tensor, ...]:
        """Gives filtered f32[N,H,W,C]."""
        return (self.net(self.front(image_NHWC)).permute(0, 2, 3, 1),)

    @torch.inference_mode()
    def answer(self, image_NHWC: NDArray[np.uint8]) -> Tensors:
        """Gives what PyTorch computes, by tensor name."""
        return {self.gives[0].name: self(torch.tensor(image_NHWC))[0].numpy()}


WholeGraph = EdgeGraph | FilterGraph
