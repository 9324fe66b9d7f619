"""Legend: N batch, F features."""

import torch

from training.models.perceptron import Perceptron


def test_is_one_weighted_sum() -> None:
    """A perceptron of three inputs has three weights and a bias, and gives their sum."""
    net = Perceptron(3)
    net.load_state_dict({"output.weight": torch.tensor([[1.0, -2.0, 0.5]]), "output.bias": torch.tensor([0.25])})
    logits_NK = net(torch.tensor([[1.0, 1.0, 1.0], [2.0, 0.0, 4.0]]))
    assert logits_NK.tolist() == [[-0.25], [4.25]]


def test_learns_what_a_line_can_part_and_no_more() -> None:
    """It learns OR to the last example, and never XOR (Minsky and Papert 1969)."""
    features_NF = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert right(features_NF, torch.tensor([0.0, 1.0, 1.0, 1.0])) == 4
    assert right(features_NF, torch.tensor([0.0, 1.0, 1.0, 0.0])) < 4


def right(features_NF: torch.Tensor, answer_N: torch.Tensor) -> int:
    torch.manual_seed(0)
    net = Perceptron(2)
    optimizer = torch.optim.SGD(net.parameters(), lr=1)
    for _ in range(500):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(features_NF).squeeze(1), answer_N)
        torch.autograd.backward(loss)
        optimizer.step()
    return int(((net(features_NF).squeeze(1) > 0) == answer_N.bool()).sum())
