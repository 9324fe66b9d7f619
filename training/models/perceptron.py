"""The perceptron.

Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the brain", 1958.

Legend: N batch, F features, K outputs.
"""

from torch import Tensor, nn


class Perceptron(nn.Module):
    """One weighted sum an output, and nothing else.

    Rosenblatt's unit answers yes where the sum is above 0. Trained by gradients, its sigmoid is the probability of yes
    (or the softmax of several that of each class), and it is logistic regression.

    Args:
        inputs: F, how many numbers describe an example.
        outputs: K, how many questions it answers: 1 for yes or no.
    """

    def __init__(self, inputs: int, outputs: int = 1) -> None:
        super().__init__()
        self.output = nn.Linear(inputs, outputs)

    def forward(self, features_NF: Tensor) -> Tensor:
        """Gives logits_NK f32 of features_NF f32."""
        logits_NK: Tensor = self.output(features_NF)
        return logits_NK
