"""HED: Xie, Tu, "Holistically-nested edge detection", 2015, figure 3 and section 4.1.

Legend: N batch, C channels, H height, W width, M maps: the five side outputs, then their fusion.
"""

from collections.abc import Mapping
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.models.vgg import features

# Of VGG-16's layers the last one of each stage, and its channels; at strides 1, 2, 4, 8 and 16.
_TAPS: Final = {3: 64, 8: 128, 15: 256, 22: 512, 29: 512}
STEP_PX: Final = 2 ** (len(_TAPS) - 1)
# So far a pixel has influence: half of the 196 pixels that a place at stride 16 sees, and its share in the next places.
REACH_PX: Final = 128


class HED(nn.Module):
    """VGG-16 without its head; at the end of each stage a side output, and a sixth that weighs these five.

    The trunk's layers are named as in torchvision, so that its weights of VGG-16 load as they are.

    Args:
        enlarge: "exactly" by the strides, from a picture whose last row and column are repeated up to a multiple of 16:
            what the source's crop after the deconvolution comes to. "stretched" makes of each side output, however many
            places it has, the size of the picture.
    """

    def __init__(self, *, enlarge: Literal["exactly", "stretched"] = "exactly") -> None:
        super().__init__()
        self.features = nn.Sequential(*list(features(16, batch_norm=False))[: max(_TAPS) + 1])
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                # An odd row or column at the end is a place of its own.
                layer.ceil_mode = True
        self.sides = nn.ModuleList(nn.Conv2d(channels, 1, 1) for channels in _TAPS.values())
        self.fuse = nn.Conv2d(len(_TAPS), 1, 1)
        self._exactly = enlarge == "exactly"
        for layer in (*self.sides, self.fuse):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        # All of one weight, as the source begins.
        nn.init.constant_(self.fuse.weight, 1 / len(_TAPS))

    def load_trunk(self, weights: Mapping[str, Tensor]) -> None:
        """Takes a VGG-16 classifier's weights, under torchvision's names."""
        own = self.features.state_dict()
        self.features.load_state_dict({name: weights[f"features.{name}"] for name in own})

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NMHW f32 of image_NCHW f32[N,3,H,W]; H and W are any."""
        height, width = image_NCHW.shape[2:]
        if self._exactly:
            padding_px = (0, -width % STEP_PX, 0, -height % STEP_PX)
            image_NCHW = functional.pad(image_NCHW, padding_px, mode="replicate")
        size = image_NCHW.shape[2:]
        found = zip(self.sides, self._stages(image_NCHW), strict=True)
        sides = [functional.interpolate(side(maps), size=size, mode="bilinear") for side, maps in found]
        side_NSHW = torch.cat(sides, dim=1)
        return torch.cat([side_NSHW, self.fuse(side_NSHW)], dim=1)[:, :, :height, :width]

    def _stages(self, maps_NCHW: Tensor) -> list[Tensor]:
        tapped = []
        for number, layer in enumerate(self.features):
            maps_NCHW = layer(maps_NCHW)
            if number in _TAPS:
                tapped.append(maps_NCHW)
        return tapped
