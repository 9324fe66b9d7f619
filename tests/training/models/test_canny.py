"""Legend: H height, W width."""

from typing import Final, Literal

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from training.models.canny import Canny, Smooth, bell_parts, connected

# What 1 stands for.
STEP: Final = 1020
PICTURES: Final = [
    cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[100:301, 50:400] for picture in load_sample_images().images
]
NOISE: Final = np.random.default_rng(0).integers(0, 256, (63, 64), dtype=np.uint8)


def edges(picture_HW: NDArray[np.uint8], sigma_px: float, low: float, norm: Literal["l1", "l2"]) -> NDArray[np.float32]:
    net = Canny(sigma_px=sigma_px, low=low, norm=norm)
    found_HW: NDArray[np.float32] = net(torch.tensor(picture_HW)[None, None].float())[0, 0].numpy()
    return found_HW


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("picture_HW", [*PICTURES, NOISE])
def test_is_opencvs_at_every_threshold(picture_HW: NDArray[np.uint8], norm: Literal["l1", "l2"]) -> None:
    """Pixel by pixel, what exceeds a threshold is OpenCV's map with that threshold and half of it."""
    found_HW = edges(picture_HW, 0, 0.5, norm)
    kept = []
    for threshold in (40, 80, 101, 200.5, 400, 700):
        theirs_HW = cv2.Canny(picture_HW, threshold / 2, threshold, L2gradient=norm == "l2") > 0
        assert np.array_equal(found_HW > threshold / STEP, theirs_HW), threshold
        kept.append(int(theirs_HW.sum()))
    assert kept[0] > kept[-1]


@pytest.mark.parametrize("sigma_px", [0.8, 1.4, 2.0, 3.0])
def test_smooths_as_opencv_does(sigma_px: float) -> None:
    """The smoothed picture is OpenCV's, to the last value, and so are the edges in it."""
    (picture_HW, _) = PICTURES
    smooth_HW = cv2.GaussianBlur(picture_HW, (0, 0), sigma_px)
    assert np.array_equal(Smooth(sigma_px)(torch.tensor(picture_HW)[None, None].float())[0, 0].numpy(), smooth_HW)
    theirs_HW = cv2.Canny(smooth_HW, 50, 100, L2gradient=True) > 0
    assert np.array_equal(edges(picture_HW, sigma_px, 0.5, "l2") > 100 / STEP, theirs_HW)


def test_bell_is_whole_and_symmetric() -> None:
    """Its parts add up to 256, however they are rounded."""
    for sigma_px in np.arange(0.5, 5, 0.1):
        parts = bell_parts(float(sigma_px))
        assert sum(parts) == 256
        assert parts == parts[::-1]


def test_a_weak_line_is_kept_as_far_as_it_goes() -> None:
    """A line of a hundred pixels takes on what its one strong pixel has, up to its own limit; another line nothing."""
    marker_HW = torch.full((5, 100), 0.0)
    marker_HW[1], marker_HW[4, 10:20] = 0.3, 0.3
    marker_HW[1, 0] = 1.0
    found_HW = connected(marker_HW[None, None], marker_HW[None, None] / 0.4)[0, 0]
    assert found_HW[1, 0].item() == pytest.approx(1.0)
    assert torch.allclose(found_HW[1, 1:], torch.tensor(0.75))
    assert torch.allclose(found_HW[4, 10:20], torch.tensor(0.3))
    assert not found_HW[2].any()


def test_refuses_a_share_that_is_none() -> None:
    """The lower threshold is a share of the higher one."""
    for low in (0.0, 1.5):
        with pytest.raises(ValueError, match="low is a share"):
            Canny(sigma_px=1, low=low, norm="l2")
