"""Legend: N batch, C channels, H height, W width, M maps."""

from typing import Final

import pytest
import torch
from torch import nn

from training.models import hed, hed_lite
from training.models.efficientnet_lite import EfficientNetLite
from training.models.hed import HED
from training.models.hed_lite import HEDLite
from training.models.vgg import VGG

MAPS: Final = 6


def positive(net: nn.Module) -> nn.Module:
    """Makes all weights positive, so that whatever can have influence has it, and all of it adds up."""
    for name, weights in net.named_parameters():
        fan = weights[0].numel() if weights.ndim > 1 else 1
        nn.init.constant_(weights, 1 / fan if name.endswith("weight") else 0)
    for layer in net.modules():
        if isinstance(layer, nn.ReLU6):
            layer.max_val = float("inf")
    return net.eval().double()


def influence_px(net: nn.Module, height: int, width: int) -> int:
    """Gives how far, along either axis, the farthest pixel is that has influence on the one in the middle."""
    image_1CHW = torch.ones(1, 3, height, width, dtype=torch.float64, requires_grad=True)
    net(image_1CHW)[0, :, height // 2, width // 2].sum().backward()
    assert image_1CHW.grad is not None
    rows, columns = image_1CHW.grad[0].abs().sum(dim=0).nonzero(as_tuple=True)
    return max(int((rows - height // 2).abs().max()), int((columns - width // 2).abs().max()))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (37, 53), (64, 33)])
@pytest.mark.parametrize("net", [HED(), HED(enlarge="stretched"), HEDLite(8)])
def test_maps_are_as_large_as_the_picture(net: nn.Module, height: int, width: int) -> None:
    """Five side outputs and their fusion, of any height and width, for every picture of a batch."""
    with torch.inference_mode():
        maps_NMHW = net.eval()(torch.rand(2, 3, height, width))
    assert maps_NMHW.shape == (2, MAPS, height, width)


@pytest.mark.parametrize(
    ("net", "reach_px", "height", "width"),
    [(HED(), hed.REACH_PX, 16, 320), (HEDLite(4), hed_lite.REACH_PX, 32, 1216)],
)
def test_reach_is_no_shorter_than_it_is_said_to_be(net: nn.Module, reach_px: int, height: int, width: int) -> None:
    """No pixel beyond the reach has influence, and it is not stated much longer than it is."""
    found_px = influence_px(positive(net), height, width)
    assert 0.8 * reach_px < found_px <= reach_px


@pytest.mark.parametrize(
    ("net", "step_px", "reach_px"),
    [(HED(), hed.STEP_PX, hed.REACH_PX), (HEDLite(8), hed_lite.STEP_PX, hed_lite.REACH_PX)],
)
def test_a_part_is_answered_as_within_the_whole(net: HED | HEDLite, step_px: int, reach_px: int) -> None:
    """Cut at a multiple of the step, and as far from the cut as the reach, edges are those of the whole picture."""
    torch.manual_seed(0)
    for layer in (*net.sides, net.fuse if isinstance(net, HED) else net.weigh):
        nn.init.normal_(layer.get_parameter("weight"))
    cut_px = 3 * step_px
    image_1CHW = torch.randn(1, 3, 32, cut_px + reach_px + 50)
    with torch.inference_mode():
        whole, part = net.eval()(image_1CHW), net(image_1CHW[..., cut_px:])
    difference = (whole[..., cut_px:] - part)[..., reach_px:].abs().max()
    assert difference < 1e-4 * whole.abs().max()


def test_side_outputs_begin_at_no_edge_and_the_fusion_at_their_mean() -> None:
    """Before training all logits are 0; where the sides differ, the fusion is a fifth of their sum."""
    with torch.inference_mode():
        assert not HED()(torch.rand(1, 3, 32, 32)).any()
        assert not HEDLite(8).eval()(torch.rand(1, 3, 32, 32)).any()
        net = HED()
        for value, side in enumerate(net.sides):
            nn.init.constant_(side.get_parameter("bias"), value)
        maps_1MHW = net(torch.rand(1, 3, 32, 32))
    assert torch.allclose(maps_1MHW[0, -1], torch.tensor(2.0))


def test_trunks_take_a_classifiers_weights() -> None:
    """VGG-16's and EfficientNet-Lite0's weights load under the names that their classifiers have."""
    for net, trunk, classifier in (
        (full := HED(), full.features[28].get_parameter("weight"), VGG(16, 2)),
        (light := HEDLite(8), light.trunk._blocks[14].get_parameter("_project_conv.weight"), EfficientNetLite(0, 2)),
    ):
        weights = {name: torch.full_like(value, 2) for name, value in classifier.state_dict().items()}
        net.load_trunk(weights)
        assert (trunk == 2).all()


def test_norms_keep_imagenets_statistics_in_training() -> None:
    """A step in training mode changes no running mean."""
    net = HEDLite(8).train()
    before = {name: value.clone() for name, value in net.named_buffers()}
    net(torch.rand(2, 3, 64, 64))
    assert before
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())


def test_the_light_net_is_light() -> None:
    """In 32-bit floats its weights take less than 10 MB."""
    assert 4 * sum(weights.numel() for weights in HEDLite(32).parameters()) < 10_000_000
