"""What units make of the sum of their inputs."""

from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["relu", "leaky_relu", "tanh", "lecun_tanh"]


class LeCunTanh(nn.Module):
    """1.7159 tanh(2x/3), which gives 1 of 1 and -1 of -1, and is steepest to the second order there.

    LeCun, Bottou, Orr, Müller, "Efficient BackProp", 1998, section 4.4.
    """

    def forward(self, sums: Tensor) -> Tensor:
        """Gives f32 of the same shape, within -1.7159..1.7159."""
        return 1.7159 * torch.tanh(sums * (2 / 3))


def activation(name: Activation) -> nn.Module:
    """Gives the module of that name; none has parameters.

    - "relu": what is above 0 (Nair, Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010).
    - "leaky_relu": the same, and a hundredth of what is below (Maas, Hannun, Ng, "Rectifier nonlinearities improve
      neural network acoustic models", 2013).
    - "tanh": the hyperbolic tangent.
    - "lecun_tanh": see LeCunTanh.
    """
    match name:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(0.01)
        case "tanh":
            return nn.Tanh()
        case "lecun_tanh":
            return LeCunTanh()
