"""Legend: N batch, C channels, H height, W width."""

import pytest
import torch
from torch import Tensor, nn

from training.augment import augment
from training.recipe import find


@pytest.fixture
def distort() -> nn.Module:
    return augment(find("lenet5").augmentation)


@pytest.fixture
def image_NCHW() -> Tensor:  # noqa: N802  shape letters, as in every argument
    """The same white square on black, eight times."""
    image_NCHW = torch.zeros(8, 1, 28, 28)
    image_NCHW[:, :, 8:20, 8:20] = 1
    return image_NCHW


def test_distorts_each_picture_its_own_way(distort: nn.Module, image_NCHW: Tensor) -> None:
    """Equal pictures come out different, of the same shape and in the same range."""
    distorted_NCHW = distort(image_NCHW)
    assert distorted_NCHW.shape == image_NCHW.shape
    assert distorted_NCHW.min() >= 0
    assert distorted_NCHW.max() <= 1 + 1e-6
    assert len({tuple(picture.flatten().tolist()) for picture in distorted_NCHW}) == 8


def test_keeps_most_of_the_picture(distort: nn.Module, image_NCHW: Tensor) -> None:
    """The distortions are mild: ink stays within the frame, about as much as before, black comes in from outside."""
    distorted_NCHW = distort(image_NCHW)
    ink_N = distorted_NCHW.sum(dim=(1, 2, 3)) / image_NCHW.sum(dim=(1, 2, 3))
    assert ((ink_N > 0.6) & (ink_N < 1.5)).all()
    assert distorted_NCHW[:, :, 0, 0].max() == 0


def test_repeats_itself_for_a_seed(distort: nn.Module, image_NCHW: Tensor) -> None:
    """The seed of torch decides all."""
    torch.manual_seed(5)
    first_NCHW = distort(image_NCHW)
    torch.manual_seed(5)
    assert torch.equal(distort(image_NCHW), first_NCHW)
