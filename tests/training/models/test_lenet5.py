"""Legend: N batch, K classes."""

import pytest
import torch
from torch import nn

from training.models.lenet5 import LeNet5

# By hand, from the sizes in the paper's section II.B: (inputs of a unit + bias) x units or maps.
PARAMETERS = {
    "c1": (5 * 5 * 1 + 1) * 6,  # 156, as in the paper
    "c3": (5 * 5 * 6 + 1) * 16,  # 2,416; the paper's partial connection has 1,516
    "c5": (5 * 5 * 16 + 1) * 120,  # 48,120, as in the paper
    "f6": (120 + 1) * 84,  # 10,164, as in the paper
    "output": (84 + 1) * 10,
}


def test_has_the_papers_sizes() -> None:
    """Each layer has as many parameters as the paper's, 61,706 in all."""
    net = LeNet5(10)
    counted = {name: sum(p.numel() for p in layer.parameters()) for name, layer in net.named_children()}
    assert {name: count for name, count in counted.items() if count} == PARAMETERS
    assert sum(PARAMETERS.values()) == 61_706


def test_maps_have_the_papers_shapes() -> None:
    """C1 to C5 give maps of 28, 14, 10, 5 and 1 pixels a side."""
    net = LeNet5(10)
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, layer: nn.Module) -> None:
        layer.register_forward_hook(lambda _layer, _inputs, output: shapes.update({name: tuple(output.shape[1:])}))

    for name in ("c1", "s2", "c3", "s4", "c5"):
        note(name, net.get_submodule(name))
    net(torch.zeros(2, 1, 28, 28))
    expected = {"c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5), "c5": (120, 1, 1)}
    assert shapes == expected


@pytest.mark.parametrize(("batch", "classes"), [(1, 10), (3, 4)])
def test_gives_a_logit_for_each_class(batch: int, classes: int) -> None:
    """Logits are f32[N,K] for any number of classes."""
    logits_NK = LeNet5(classes)(torch.zeros(batch, 1, 28, 28))
    assert logits_NK.shape == (batch, classes)
    assert logits_NK.dtype == torch.float32


def test_activation_changes_no_names() -> None:
    """Weights trained with one activation load into a net with another, which then computes something else."""
    relu, tanh = LeNet5(10), LeNet5(10, activation="lecun_tanh")
    tanh.load_state_dict(relu.state_dict())
    image_NCHW = torch.rand(2, 1, 28, 28)
    assert not torch.equal(relu(image_NCHW), tanh(image_NCHW))
