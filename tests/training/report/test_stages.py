"""Legend: N pictures, C channels, H height, W width."""

import pytest
import torch
from torch import Tensor, nn

from training.models.lenet5 import LeNet5
from training.models.resnet_cifar import ResNetCIFAR
from training.report import stages


def test_lenets_stages() -> None:
    """LeNet-5 has maps of more than one pixel after C1 and C3, although one activation serves all its layers."""
    found = stages.watch(LeNet5(10).eval(), torch.rand(2, 1, 28, 28))
    assert [(stage.name, tuple(stage.maps_NFHW.shape)) for stage in found] == [
        ("c1", (2, 6, 28, 28)),
        ("c3", (2, 16, 10, 10)),
    ]


def test_maps_are_what_the_activation_gives() -> None:
    """A stage's maps are the convolution's after the activation."""
    net, image_NCHW = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU()).eval(), torch.rand(1, 1, 6, 6)
    (stage,) = stages.watch(net, image_NCHW)
    assert stage.name == "0"
    torch.testing.assert_close(stage.maps_NFHW, net(image_NCHW))


def test_every_activation_of_a_residual_net() -> None:
    """A residual net of 20 layers has 19 stages, and nothing of the watching stays."""
    net = ResNetCIFAR(20, 10).eval()
    assert len(stages.watch(net, torch.rand(1, 3, 32, 32))) == 19
    assert all(not layer._forward_hooks for layer in net.modules())


def test_a_copy_changes_nothing_in_place() -> None:
    """The copy gives the same, keeps the net as it is, and can be followed back to the picture."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
    copied, image_NCHW = stages.plain(net), torch.rand(1, 1, 5, 5, requires_grad=True)
    torch.testing.assert_close(copied(image_NCHW), net(image_NCHW))
    assert isinstance(net[1], nn.ReLU)
    assert net[1].inplace
    assert not any(layer.inplace for layer in copied.modules() if isinstance(layer, nn.ReLU))
    assert all(weight.requires_grad for weight in net.parameters())


@pytest.mark.parametrize(("count", "most", "chosen"), [(1, 4, [0]), (3, 4, [0, 1, 2]), (19, 4, [0, 6, 12, 18])])
def test_some_of_many(count: int, most: int, chosen: list[int]) -> None:
    """The first, the last and some evenly between."""
    assert stages.some(count, most) == chosen


def test_nets_without_maps() -> None:
    """A net of units alone has no stages."""

    class Flat(nn.Module):
        def forward(self, image_NCHW: Tensor) -> Tensor:
            return torch.relu(image_NCHW.flatten(1))

    assert stages.watch(nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU()), torch.rand(1, 1, 2, 2)) == []
    assert stages.watch(Flat(), torch.rand(1, 1, 2, 2)) == []
