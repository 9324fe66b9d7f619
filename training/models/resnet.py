"""ResNets for ImageNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, table 1.

Legend: N batch, C channels, H height, W width, K classes.
"""

from collections.abc import Iterator
from typing import Final, Literal

from torch import Tensor, nn

from training.initialisation import initialise

Depth = Literal[18, 34, 50, 101, 152]

# Blocks of each stage.
_BLOCKS: Final[dict[Depth, tuple[int, int, int, int]]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class Basic(nn.Module):
    """Two 3x3 convolutions whose result is added to what came in (figure 5, left).

    Args:
        inputs: channels of what comes in.
        channels: of what goes out.
        stride: 2 halves height and width.
        shortcut: brings what came in to the shape of what goes out.
    """

    # Times `channels` is what goes out.
    expansion: Final = 1

    def __init__(self, inputs: int, channels: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample = shortcut

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Gives maps f32."""
        residual_NCHW = self.relu(self.bn1(self.conv1(maps_NCHW)))
        residual_NCHW = self.bn2(self.conv2(residual_NCHW))
        summed: Tensor = self.relu(residual_NCHW + self.downsample(maps_NCHW))
        return summed


class Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, which make the channels fewer and more again (figure 5, right).

    The stride is the 3x3 convolution's, as in torchvision; the paper's is the first one's.

    Args:
        inputs: channels of what comes in.
        channels: of the 3x3 convolution; four times as many go out.
        stride: 2 halves height and width.
        shortcut: brings what came in to the shape of what goes out.
    """

    expansion: Final = 4

    def __init__(self, inputs: int, channels: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        outputs = channels * self.expansion
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.downsample = shortcut

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Gives maps f32."""
        residual_NCHW = self.relu(self.bn1(self.conv1(maps_NCHW)))
        residual_NCHW = self.relu(self.bn2(self.conv2(residual_NCHW)))
        residual_NCHW = self.bn3(self.conv3(residual_NCHW))
        summed: Tensor = self.relu(residual_NCHW + self.downsample(maps_NCHW))
        return summed


class ResNet(nn.Module):
    """A convolution and pooling, four stages of residual blocks, and the average of each map.

    Layers are named as in torchvision, so its weights load as they are. They were trained with RGB in 0..1, less the
    mean (0.485, 0.456, 0.406) and divided by the deviation (0.229, 0.224, 0.225).

    Args:
        depth: how many layers have weights, those of the shortcuts not counted.
        classes: K, how many classes there are.
    """

    def __init__(self, depth: Depth, classes: int) -> None:
        super().__init__()
        block: type[Basic | Bottleneck] = Basic if depth < 50 else Bottleneck
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = _stages(block, _BLOCKS[depth])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * block.expansion, classes)
        initialise(self, "he")

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK f32 of image_NCHW f32[N,3,H,W]; the paper's pictures are 224x224."""
        maps_NCHW = self.maxpool(self.relu(self.bn1(self.conv1(image_NCHW))))
        maps_NCHW = self.layer4(self.layer3(self.layer2(self.layer1(maps_NCHW))))
        logits_NK: Tensor = self.fc(self.avgpool(maps_NCHW).flatten(1))
        return logits_NK


def _stages(block: type[Basic | Bottleneck], blocks: tuple[int, int, int, int]) -> Iterator[nn.Sequential]:
    inputs = 64
    for stage, count in enumerate(blocks):
        channels = 64 * 2**stage
        outputs = channels * block.expansion
        stride = 1 if stage == 0 else 2
        first = block(inputs, channels, stride, _shortcut(inputs, outputs, stride))
        yield nn.Sequential(first, *(block(outputs, channels, 1, nn.Identity()) for _ in range(1, count)))
        inputs = outputs


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Gives the paper's option B (section 3.3): a projection where the shape changes, else the identity."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
