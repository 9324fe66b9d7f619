"""VGG: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014, table 1.

Legend: N batch, C channels, H height, W width, K classes.
"""

from collections.abc import Iterator
from typing import Final, Literal

from torch import Tensor, nn

from training.initialisation import initialise

Depth = Literal[11, 13, 16, 19]

_CHANNELS: Final = (64, 128, 256, 512, 512)
# Convolutions of each stage: the table's columns A, B, D and E.
_CONVOLUTIONS: Final[dict[Depth, tuple[int, ...]]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
_UNITS: Final = 4096


class VGG(nn.Module):
    """Convolutions of 3x3 and nothing else, five times a pooling, then three layers that see the whole picture.

    Layers are named as in torchvision, so its weights load as they are. They were trained with RGB in 0..1, less the
    mean (0.485, 0.456, 0.406) and divided by the deviation (0.229, 0.224, 0.225).

    Args:
        depth: how many layers have weights.
        classes: K, how many classes there are.
        batch_norm: whether each convolution is followed by a norm, which the paper's have not (Ioffe, Szegedy 2015).
        dropout: share of the units of the two hidden layers that is dropped in training.
    """

    def __init__(self, depth: Depth, classes: int, *, batch_norm: bool = False, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(*features(depth, batch_norm))
        # Pictures of 224x224 need none; it lets others pass.
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(_CHANNELS[-1] * 7 * 7, _UNITS),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_UNITS, _UNITS),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_UNITS, classes),
        )
        initialise(self, "he")

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK f32 of image_NCHW f32[N,3,H,W]; the paper's pictures are 224x224, the least is 32x32."""
        maps_NCHW = self.avgpool(self.features(image_NCHW))
        logits_NK: Tensor = self.classifier(maps_NCHW.flatten(1))
        return logits_NK


def features(depth: Depth, batch_norm: bool) -> Iterator[nn.Module]:
    """Gives the layers up to the last pooling, in their order."""
    inputs = 3
    for channels, convolutions in zip(_CHANNELS, _CONVOLUTIONS[depth], strict=True):
        for _ in range(convolutions):
            yield nn.Conv2d(inputs, channels, 3, padding=1)
            if batch_norm:
                yield nn.BatchNorm2d(channels)
            yield nn.ReLU()
            inputs = channels
        yield nn.MaxPool2d(2)
