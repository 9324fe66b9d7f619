"""Legend: N batch, C channels, H height, W width."""

from typing import Final

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.datasets import load_sample_images
from torch.nn import functional

from training.models import kernels
from training.models.kernels import Gradient, Kernels, Padding, Rows

# The border's name in SciPy.
BORDERS: Final[dict[Padding, str]] = {
    "zero": "constant",
    "replicate": "nearest",
    "circular": "wrap",
    "reflect": "mirror",
}
EVERY: Final[dict[str, Rows]] = {
    "sobel": kernels.SOBEL_X,
    "prewitt": kernels.PREWITT_X,
    "scharr": kernels.SCHARR_X,
    "laplacian": kernels.LAPLACIAN,
    "sharpen": kernels.SHARPEN,
    "emboss": kernels.EMBOSS,
    "mean": kernels.mean(5),
    "gaussian": kernels.gaussian(9, 1.5),
    "shift": kernels.shift(3, -2),
}
GREY_HW: Final = cv2.cvtColor(load_sample_images().images[0], cv2.COLOR_RGB2GRAY)[:121, :160]


def convolved(image: list[list[float]], kernel: Rows, stride: tuple[int, int] = (1, 1), around: int = 0) -> object:
    image_11HW = functional.pad(torch.tensor(image, dtype=torch.float32)[None, None], (around,) * 4)
    return Kernels((kernel,), None, stride)(image_11HW)[0, 0].tolist()


NINE: Final[list[list[float]]] = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
FOUR: Final[Rows] = ((0, 1), (2, 3))


def test_a_kernel_of_2x2_has_four_places_in_3x3() -> None:
    """0*0 + 1*1 + 3*2 + 4*3 = 19, and so on at each place: the kernel is not turned round."""
    assert convolved(NINE, FOUR) == [[19, 25], [37, 43]]


def test_zeros_around_make_more_places() -> None:
    """With one pixel around, 3x3 becomes 5x5, where a kernel of 2x2 has 4x4 places."""
    assert convolved(NINE, FOUR, around=1) == [[0, 3, 8, 4], [9, 19, 25, 10], [21, 37, 43, 16], [6, 7, 8, 0]]


def test_strides_leave_places_out() -> None:
    """Three rows down and two columns to the right from place to place, 4x4 places become 2x2."""
    assert convolved(NINE, FOUR, stride=(3, 2), around=1) == [[0, 8], [6, 8]]


def test_a_kernel_of_one_column_finds_changes_along_rows() -> None:
    """The difference of neighbours is 1 where light becomes dark, -1 where dark becomes light."""
    assert convolved([[1, 1, 0, 0, 1]], ((1, -1),)) == [[0, 1, 0, -1]]


@pytest.mark.parametrize("padding", BORDERS)
@pytest.mark.parametrize("name", EVERY)
def test_agrees_with_scipy_whatever_lies_around(name: str, padding: Padding) -> None:
    """At every pixel, of the border too, a kernel gives what SciPy gives, to a millionth of the largest answer."""
    kernel = np.array(EVERY[name], np.float64)
    expected_HW = ndimage.correlate(GREY_HW.astype(np.float64), kernel, mode=BORDERS[padding])
    found_HW = Kernels((EVERY[name],), padding)(torch.tensor(GREY_HW)[None, None].float())[0, 0].numpy()
    assert np.abs(found_HW - expected_HW).max() < 1e-6 * 255 * np.abs(kernel).sum()


def test_channels_are_filtered_each_by_itself() -> None:
    """Of a colour picture, each colour becomes what it becomes alone."""
    image_1CHW = torch.rand(1, 3, 20, 17)
    blur = Kernels((kernels.mean(3),), "reflect")
    alone = [blur(image_1CHW[:, [channel]]) for channel in range(3)]
    assert torch.allclose(blur(image_1CHW), torch.cat(alone, dim=1), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kernel", "theirs"), [("sobel", kernels.SOBEL_X, 3), ("scharr", kernels.SCHARR_X, -1)]
)
def test_gradients_agree_with_opencv(name: str, kernel: Rows, theirs: int) -> None:
    """Along x, along y and both together, over what a step from black to white would give."""
    x_HW, y_HW = (cv2.Sobel(GREY_HW, cv2.CV_64F, *axis, ksize=theirs) for axis in ((1, 0), (0, 1)))
    largest = kernels.largest(kernel)
    for direction, expected_HW in (("x", abs(x_HW)), ("y", abs(y_HW)), ("both", np.hypot(x_HW, y_HW))):
        net = Gradient(kernel, direction, "reflect")  # type: ignore[arg-type]  # one of the three
        found_HW = net(torch.tensor(GREY_HW)[None, None].float())[0, 0].numpy()
        assert np.abs(found_HW - np.minimum(expected_HW / largest, 1)).max() < 1e-4, name


def test_a_step_from_black_to_white_is_1() -> None:
    """On both sides of the step the edge is as strong as it can be, and elsewhere there is none."""
    step_HW = torch.zeros(6, 8)
    step_HW[:, 4:] = 255
    found_HW = Gradient(kernels.SOBEL_X, "both", "replicate")(step_HW[None, None])[0, 0]
    assert found_HW.tolist() == [[0, 0, 0, 1, 1, 0, 0, 0]] * 6


def test_blurs_agree_with_opencv() -> None:
    """The mean of a square and the bell are OpenCV's, to a millionth of white."""
    image_HW = GREY_HW.astype(np.float64)
    for kernel, expected_HW in (
        (kernels.mean(5), cv2.blur(image_HW, (5, 5))),
        (kernels.gaussian(9, 1.5), cv2.GaussianBlur(image_HW, (9, 9), 1.5)),
    ):
        found_HW = Kernels((kernel,), "reflect")(torch.tensor(GREY_HW)[None, None].float())[0, 0].numpy()
        assert np.abs(found_HW - expected_HW).max() < 1e-6 * 255


def test_what_is_shifted_out_comes_in_at_the_other_side() -> None:
    """With the picture around itself, a shift is a roll."""
    image_11HW = torch.arange(35.0).reshape(1, 1, 5, 7)
    moved = Kernels((kernels.shift(2, -1),), "circular")(image_11HW)
    assert torch.equal(moved, image_11HW.roll((-1, 2), (2, 3)))
