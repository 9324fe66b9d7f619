"""HED on EfficientNet-Lite0: holistically-nested edge detection with a trunk that is made for small devices.

Side outputs, their upsampling, their fusion and the deep supervision are those of Xie and Tu, "Holistically-nested edge
detection", 2015. Unlike there, each scale sees what the coarser ones found (the top-down path of Lin et al., "Feature
pyramid networks for object detection", 2016, 3), and how much each side output weighs is decided pixel by pixel (Huan
et al., "Unmixing convolutional features for crisp edge detection", 2020, 3.3).

Legend: N batch, C channels, H height, W width, S side outputs, M maps: the S side outputs, then their fusion.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.initialisation import initialise
from training.models.efficientnet_lite import EfficientNetLite, SameConv2d

# Of the trunk's blocks the last one at each scale: its number, and its channels; at strides 2, 4, 8, 16 and 32.
_TAPS: Final = ((0, 16), (2, 24), (4, 40), (10, 112), (14, 192))
STEP_PX: Final = 2 ** len(_TAPS)
# So far a pixel has influence: half of what a place at stride 32 sees, and how far that is carried on the way down.
REACH_PX: Final = 544


class HEDLite(nn.Module):
    """Five side outputs from stride 2 to 32, and their fusion.

    Args:
        channels: of the top-down path.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.trunk = _Trunk()
        self.laterals = nn.ModuleList(nn.Conv2d(found, channels, 1) for _, found in _TAPS)
        self.refine = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in _TAPS)
        self.sides = nn.ModuleList(nn.Conv2d(channels, 1, 1) for _ in _TAPS)
        # Gives each side output's weight.
        self.weigh = nn.Conv2d(channels, len(_TAPS), 1)
        for part in (self.laterals, self.refine):
            initialise(part, "he")
        for layer in (*self.sides, self.weigh):
            # No edges anywhere, all of one weight: as in the paper, the sides begin at 0 and the fusion at 1/S.
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def load_trunk(self, weights: Mapping[str, Tensor]) -> None:
        """Takes the weights of the EfficientNet-Lite0 that is a classifier."""
        own = self.trunk.state_dict()
        self.trunk.load_state_dict({name: weights[name] for name in own})

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NMHW f32 of image_NCHW f32[N,3,H,W], the fusion last; H and W are any."""
        height, width = image_NCHW.shape[2:]
        padding_px = (0, -width % STEP_PX, 0, -height % STEP_PX)
        image_NCHW = functional.pad(image_NCHW, padding_px, mode="replicate")
        found = self._top_down(self.trunk(image_NCHW))
        # All at stride 2: the tolerance of the benchmark is twice that.
        sides = [_enlarged(side(maps_NCHW), found[0]) for side, maps_NCHW in zip(self.sides, found, strict=True)]
        side_NSHW = torch.cat(sides, dim=1)
        weight_NSHW = torch.softmax(self.weigh(found[0]), dim=1)
        fused_N1HW = (weight_NSHW * side_NSHW).sum(dim=1, keepdim=True)
        return _enlarged(torch.cat([side_NSHW, fused_N1HW], dim=1), image_NCHW)[:, :, :height, :width]

    def _top_down(self, tapped: Sequence[Tensor]) -> list[Tensor]:
        """Gives the maps of each scale, the finest first, with what the coarser ones found."""
        above: Tensor | None = None
        found = []
        for maps_NCHW, lateral, refine in reversed(list(zip(tapped, self.laterals, self.refine, strict=True))):
            own = lateral(maps_NCHW)
            above = functional.relu(refine(functional.relu(own if above is None else own + _enlarged(above, own))))
            found.append(above)
        return found[::-1]


def _enlarged(maps_NCHW: Tensor, to: Tensor) -> Tensor:
    """Gives the maps at the size of others."""
    return functional.interpolate(maps_NCHW, size=to.shape[2:], mode="bilinear")


class _Trunk(EfficientNetLite):
    """EfficientNet-Lite0 up to stride 32; no example passes a block by."""

    def __init__(self) -> None:
        super().__init__(0, classes=1, skips=0)
        self._blocks = self._blocks[: _TAPS[-1][0] + 1]
        del self._conv_head, self._bn1, self._avg_pooling, self._dropout, self._fc
        for layer in self.modules():
            if isinstance(layer, SameConv2d):
                layer.divides = True

    def train(self, mode: bool = True) -> "_Trunk":
        """Leaves the norms with ImageNet's statistics: those of a few crops are worse."""
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
        return self

    def forward(self, image_NCHW: Tensor) -> list[Tensor]:  # type: ignore[override]  # not the classes, but their ground
        """Gives the maps at each of _TAPS."""
        maps_NCHW = self._relu6(self._bn0(self._conv_stem(image_NCHW)))
        tapped, taps = [], {number for number, _ in _TAPS}
        for number, block in enumerate(self._blocks):
            maps_NCHW = block(maps_NCHW)
            if number in taps:
                tapped.append(maps_NCHW)
        return tapped
