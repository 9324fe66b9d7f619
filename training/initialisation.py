"""How a net's weights are drawn before training: so wide that signals neither fade nor burst on their way through."""

import math
from typing import Literal

from torch import Tensor, nn

# "default" is what the net draws itself, for most torch's own: uniform within 1/sqrt(fan_in), biases too.
Scheme = Literal["default", "lecun", "xavier", "he"]

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)


def initialise(net: nn.Module, scheme: Scheme) -> None:
    """Draws the weights of all convolutions and linear layers anew, and sets their biases to 0.

    - "lecun": normal with deviation 1/sqrt(fan_in), for tanh-like units (LeCun, Bottou, Orr, Müller, "Efficient
      BackProp", 1998, section 4.6).
    - "xavier": uniform within sqrt(6 / (fan_in + fan_out)), for tanh-like units, and as wide on the way back as on the
      way forth (Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010,
      equation 16).
    - "he": normal with deviation sqrt(2 / fan_in), for units of which half are silent, as ReLU (He, Zhang, Ren, Sun,
      "Delving deep into rectifiers", 2015, equation 10).
    - "default": leaves all as it is.
    """
    if scheme == "default":
        return
    for layer in net.modules():
        if isinstance(layer, _LAYERS):
            _draw(layer.weight, scheme)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _draw(weight: Tensor, scheme: Literal["lecun", "xavier", "he"]) -> None:
    match scheme:
        case "lecun":
            fan_in = weight[0].numel()
            nn.init.normal_(weight, std=1 / math.sqrt(fan_in))
        case "xavier":
            nn.init.xavier_uniform_(weight)
        case "he":
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
