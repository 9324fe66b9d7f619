"""A multi-layer perceptron with dropout.

Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to prevent neural networks from
overfitting", 2014, sections 4 to 6.

Legend: N batch, F features, K classes.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from training import activations
from training.activations import Activation


class MLP(nn.Module):
    """Layers of units that each see all of the layer before, and of which training drops some at random.

    Args:
        inputs: F, how many numbers describe an example.
        classes: K, how many classes there are.
        hidden: units of each hidden layer; these are of a net in the paper's table 2, for MNIST.
        activation: what the hidden units do.
        dropout: share of the hidden units that is dropped.
        input_dropout: share of the inputs that is dropped.
    """

    def __init__(
        self,
        inputs: int,
        classes: int,
        *,
        hidden: Sequence[int] = (1024, 1024, 1024),
        activation: Activation = "relu",
        dropout: float = 0.5,
        input_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.input_dropout = nn.Dropout(input_dropout)
        self.hidden = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise((inputs, *hidden)))
        self.activation = activations.activation(activation)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear((inputs, *hidden)[-1], classes)

    def forward(self, features: Tensor) -> Tensor:
        """Gives logits_NK f32 of f32[N,F], or of pictures or others whose numbers are F in all."""
        units_NF = self.input_dropout(features.flatten(1))
        for layer in self.hidden:
            units_NF = self.dropout(self.activation(layer(units_NF)))
        logits_NK: Tensor = self.output(units_NF)
        return logits_NK

    @torch.no_grad()
    def limit_norms(self, norm: float) -> None:
        """Shortens the weight vector of each hidden unit that has become longer than the paper's c (section 5.1).

        The paper trains with inputs that are only dropped, and shortens the weights for use; torch makes up for the
        dropped inputs in training. So its weights are the paper's times the share of inputs that is kept.

        Args:
            norm: c, to be kept after each step of training; 3 to 4 are typical (appendix A.3).
        """
        kept = 1 - self.input_dropout.p
        for layer in self.hidden:
            assert isinstance(layer, nn.Linear)
            layer.weight.renorm_(2, dim=0, maxnorm=norm * kept)
            kept = 1 - self.dropout.p
