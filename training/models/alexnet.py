"""AlexNet in its two forms, that of 2012 and that of 2014.

Legend: N batch, C channels, H height, W width, K classes.
"""

from typing import Final

from torch import Tensor, nn

from training.initialisation import initialise

_UNITS: Final = 4096


class AlexNet2012(nn.Module):
    """Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012, figure 2.

    The second, fourth and fifth convolution are in two halves, which the paper has on two GPUs. Pictures are 227x227,
    without which the paper's own map sizes do not come out (it says 224x224).

    Args:
        classes: K, how many classes there are.
        dropout: share of the units of the two hidden layers that is dropped in training (section 4.2).
    """

    def __init__(self, classes: int, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4),
            nn.ReLU(),
            _response_norm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            nn.ReLU(),
            _response_norm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        # Pictures of 227x227 need none; it lets others pass.
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Linear(256 * 6 * 6, _UNITS),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_UNITS, _UNITS),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_UNITS, classes),
        )
        self._draw()

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK f32 of image_NCHW f32[N,3,H,W]; the least is 67x67."""
        maps_NCHW = self.avgpool(self.features(image_NCHW))
        logits_NK: Tensor = self.classifier(maps_NCHW.flatten(1))
        return logits_NK

    def _draw(self) -> None:
        """Draws the first weights (section 5): biases of 1 give most units something to learn from at once."""
        layers = [layer for layer in self.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        # The second, fourth and fifth convolution and the hidden layers.
        of_one = {1, 3, 4, 5, 6}
        for number, layer in enumerate(layers):
            assert layer.bias is not None
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, float(number in of_one))


def _response_norm() -> nn.LocalResponseNorm:
    """Gives the paper's norm over 5 neighbouring maps (section 3.3); torch divides alpha by their number."""
    maps = 5
    return nn.LocalResponseNorm(maps, alpha=maps * 1e-4, beta=0.75, k=2)


class AlexNet(nn.Module):
    """Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, footnote 1.

    One column where 2012 had two, and no norm. The fourth convolution has the 256 filters of Krizhevsky's program
    cuda-convnet2, which torchvision followed; the footnote says 384. Layers are named as in torchvision, so its weights
    load as they are. They were trained with RGB in 0..1, less the mean (0.485, 0.456, 0.406) and divided by the
    deviation (0.229, 0.224, 0.225).

    Args:
        classes: K, how many classes there are.
        dropout: share of what comes into the two hidden layers that is dropped in training.
    """

    def __init__(self, classes: int, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        # Pictures of 224x224 need none; it lets others pass.
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, _UNITS),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_UNITS, _UNITS),
            nn.ReLU(),
            nn.Linear(_UNITS, classes),
        )
        initialise(self, "he")

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK f32 of image_NCHW f32[N,3,H,W]; the least is 63x63."""
        maps_NCHW = self.avgpool(self.features(image_NCHW))
        logits_NK: Tensor = self.classifier(maps_NCHW.flatten(1))
        return logits_NK
