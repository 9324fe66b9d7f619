"""Legend: N batch, F features, K classes."""

import pytest
import torch

from training.activations import Activation
from training.models.mlp import MLP


def small(*, dropout: float = 0.5, input_dropout: float = 0.2, activation: Activation = "relu") -> MLP:
    torch.manual_seed(0)
    return MLP(6, 3, hidden=(16, 8), activation=activation, dropout=dropout, input_dropout=input_dropout)


def test_has_the_papers_sizes() -> None:
    """784-1024-1024-1024-10 has 2,913,290 parameters: (inputs + bias) x units in each layer."""
    sizes = [784 * 1024 + 1024, 1024 * 1024 + 1024, 1024 * 1024 + 1024, 1024 * 10 + 10]
    net = MLP(784, 10)
    assert [sum(p.numel() for p in layer.parameters()) for layer in (*net.hidden, net.output)] == sizes
    assert sum(p.numel() for p in net.parameters()) == sum(sizes) == 2_913_290


def test_takes_tables_and_pictures() -> None:
    """A picture is the row of its pixels."""
    net, image_NCHW = small().eval(), torch.randn(4, 1, 2, 3)
    logits_NK = net(image_NCHW)
    assert logits_NK.shape == (4, 3)
    assert torch.equal(logits_NK, net(image_NCHW.reshape(4, 6)))


def test_computes_layer_by_layer() -> None:
    """In use it is weights and activations in turn, and the last layer's sums."""
    net, features_NF = small(activation="tanh").eval(), torch.randn(5, 6)
    first, second = net.hidden
    expected_NK = net.output(torch.tanh(second(torch.tanh(first(features_NF)))))
    torch.testing.assert_close(net(features_NF), expected_NK)


def test_needs_no_hidden_layer() -> None:
    """Without a hidden layer it is one weighted sum a class."""
    net = MLP(6, 3, hidden=(), input_dropout=0)
    features_NF = torch.randn(2, 6)
    assert torch.equal(net(features_NF), net.output(features_NF))


@pytest.mark.parametrize(("dropout", "input_dropout"), [(0.5, 0.0), (0.0, 0.5)])
def test_drops_in_training_only(dropout: float, input_dropout: float) -> None:
    """Inputs and hidden units are dropped in training, each by its own share; in use nothing is."""
    net, features_NF = small(dropout=dropout, input_dropout=input_dropout), torch.randn(2, 6)
    assert not torch.equal(net(features_NF), net(features_NF))
    net.eval()
    assert torch.equal(net(features_NF), net(features_NF))


def test_shortens_long_weight_vectors() -> None:
    """Each hidden unit's weights get no longer than c in the paper's terms, and the output's stay as they are."""
    net = small()
    with torch.no_grad():
        for weights in net.parameters():
            weights.mul_(100)
    output = net.output.weight.detach().clone()
    net.limit_norms(3.0)
    first, second = (torch.linalg.vector_norm(net.get_parameter(f"hidden.{i}.weight"), dim=1) for i in (0, 1))
    torch.testing.assert_close(first, torch.full((16,), 3 * 0.8))
    torch.testing.assert_close(second, torch.full((8,), 3 * 0.5))
    assert torch.equal(net.output.weight, output)
