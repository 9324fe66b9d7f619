"""What sees: the part of an EfficientNet-Lite before its classifier, with ImageNet's weights, which stay as they are.

Legend: N pictures, H height, W width, P places of the last maps, C channels.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.models.efficientnet_lite import EfficientNetLite, Size

# The classifier of the weights as they are published; its last layer is thrown away.
_CLASSES = 1000


class Sight(nn.Module):
    """A net from pictures to what is at each place of a grid.

    The last layer but one widens each place to 1,280 channels of which most are 0: what comes before it says the same
    in a quarter of the numbers, and is what the training keeps on disk.

    Args:
        size: of the EfficientNet-Lite.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.net = EfficientNetLite(size, _CLASSES).requires_grad_(False)
        del self.net._fc  # noqa: SLF001
        # On CPUs convolutions are up to twice as fast with the channels last.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
        self.eval()

    @property
    def channels(self) -> int:
        """C of what `widen` gives."""
        return self.net._conv_head.out_channels  # noqa: SLF001

    def train(self, mode: bool = True) -> "Sight":
        """Stays as it is: dropped blocks and batches' own norms belong to its own training."""
        return super().train(False)

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Takes ImageNet's weights."""
        self.net.load_state_dict({name: each for name, each in weights.items() if not name.startswith("_fc.")})

    def look(self, image_NCHW: Tensor) -> Tensor:
        """Gives narrow maps f32[N,P,320 or so]."""
        net = self.net
        maps_NCHW = net._blocks(net._relu6(net._bn0(net._conv_stem(image_NCHW))))  # noqa: SLF001
        places_NPC: Tensor = maps_NCHW.flatten(2).transpose(1, 2)
        return places_NPC

    def widen(self, narrow_NPC: Tensor) -> Tensor:
        """Gives maps_NPC f32 of the narrow ones."""
        net = self.net
        maps_NCP1 = net._relu6(net._bn1(net._conv_head(narrow_NPC.transpose(1, 2).unsqueeze(3))))  # noqa: SLF001
        maps_NPC: Tensor = maps_NCP1.squeeze(3).transpose(1, 2)
        return maps_NPC

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives maps_NPC f32 of image_NCHW f32."""
        return self.widen(self.look(image_NCHW))
