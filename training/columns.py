"""From the numbers of a table to what a net takes: the training step and the served graph both run this code.

Legend: N batch, F columns.
"""

import torch
from torch import Tensor, nn


class Columns(nn.Module):
    """Brings each column to mean 0 and deviation 1, as measured on the training rows.

    Args:
        columns: F, how many there are.
    """

    mean_F: Tensor
    std_F: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("mean_F", torch.zeros(columns))
        self.register_buffer("std_F", torch.ones(columns))

    def measure(self, values_NF: Tensor) -> None:
        """Takes mean and deviation of values_NF f32; a column that never changes is only brought to 0."""
        # In f32 the mean of large or many numbers would be rounded, and the deviation of equal ones not be 0.
        exact_NF = values_NF.double()
        changes_F = values_NF.amax(0) > values_NF.amin(0)
        self.mean_F.copy_(torch.where(changes_F, exact_NF.mean(0), exact_NF[0]))
        self.std_F.copy_(torch.where(changes_F, exact_NF.std(0, correction=0), 1))

    def forward(self, values_NF: Tensor) -> Tensor:
        """Gives f32[N,F], normalised, of values_NF f32."""
        return (values_NF - self.mean_F) / self.std_F
