"""LeNet-5: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998, II.B.

Legend: N batch, C channels, H height, W width, K classes.
"""

from torch import Tensor, nn

from training import activations
from training.activations import Activation


class LeNet5(nn.Module):
    """Two convolutions with subsampling, then three layers that see the whole picture.

    The layers' names and sizes are the paper's. Where ours differs, and why:

    - Pictures are 28x28 and C1 pads them to the paper's 32x32.
    - The units are ReLU unless asked otherwise; the paper's are "lecun_tanh".
    - S2 and S4 take the maximum of 2x2; the paper's take the sum, with a trained scale and bias for each map.
    - Each map of C3 sees all 6 maps of S2 (2,416 parameters); the paper's Table I connects 10 of 16 pairs (1,516),
      to break symmetry and to save time.
    - The output is a linear layer for softmax and cross-entropy; the paper's are Euclidean RBF units with fixed
      7x12 stylised characters.

    Args:
        classes: K, how many classes there are.
        activation: what the units do.
    """

    def __init__(self, classes: int, *, activation: Activation = "relu") -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.s2 = nn.MaxPool2d(2)
        self.c3 = nn.Conv2d(6, 16, kernel_size=5)
        self.s4 = nn.MaxPool2d(2)
        self.c5 = nn.Conv2d(16, 120, kernel_size=5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, classes)
        self.squash = activations.activation(activation)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK f32 of image_NCHW f32[N,1,28,28]."""
        maps = self.s2(self.squash(self.c1(image_NCHW)))
        maps = self.s4(self.squash(self.c3(maps)))
        features = self.squash(self.c5(maps)).flatten(1)
        logits: Tensor = self.output(self.squash(self.f6(features)))
        return logits
