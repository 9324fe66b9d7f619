"""ResNets for CIFAR-10: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, section 4.2.

Legend: N batch, C channels, H height, W width, K classes.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from training.initialisation import initialise
from training.models.resnet import Basic


class OptionA(nn.Module):
    """The shortcut without parameters: every second pixel, and channels of zeros for those that the maps gain.

    The paper (section 3.3) leaves open on which side the zeros stand; here half of them stand on each, as in the
    weights that `published_weights` takes.

    Args:
        inputs: channels of what comes in.
        outputs: channels of what is to be added to, an even number more.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self._zeros = (outputs - inputs) // 2

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Gives maps of half the height and width, with zeros before and after their channels."""
        return functional.pad(maps_NCHW[:, :, ::2, ::2], (0, 0, 0, 0, self._zeros, self._zeros))


class ResNetCIFAR(nn.Module):
    """A convolution, three stages of residual blocks with 16, 32 and 64 channels, and the average of each map.

    Layers are named as in torchvision's ResNets. The paper's nets have 20, 32, 44, 56 and 110 layers that learn.

    Args:
        depth: how many layers have weights: 6n + 2 for n blocks a stage.
        classes: K, how many classes there are.
    """

    def __init__(self, depth: int, classes: int) -> None:
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if blocks < 1 or rest:
            raise ValueError(f"depth must be 6n + 2, such as 20, 32, 44, 56 or 110, not {depth}")
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = _stage(16, 16, blocks, stride=1)
        self.layer2 = _stage(16, 32, blocks, stride=2)
        self.layer3 = _stage(32, 64, blocks, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, classes)
        initialise(self, "he")

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK f32 of image_NCHW f32[N,3,H,W]; the paper's pictures are 32x32."""
        maps_NCHW = self.relu(self.bn1(self.conv1(image_NCHW)))
        maps_NCHW = self.layer3(self.layer2(self.layer1(maps_NCHW)))
        logits_NK: Tensor = self.fc(self.avgpool(maps_NCHW).flatten(1))
        return logits_NK


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = nn.Identity() if stride == 1 else OptionA(inputs, outputs)
    first = Basic(inputs, outputs, stride, shortcut)
    return nn.Sequential(first, *(Basic(outputs, outputs, 1, nn.Identity()) for _ in range(1, blocks)))


def published_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives Yerlan Idelbayev's published weights (pytorch_resnet_cifar10, BSD-2-Clause) by the names used here.

    Args:
        state: the `state_dict` in one of his .th files, such as resnet20-12fca82f.th.
    """
    names = {name: name.removeprefix("module.").replace("linear.", "fc.") for name in state}
    return {names[name]: weights for name, weights in state.items()}
