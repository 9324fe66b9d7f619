"""Legend: N batch, H height, W width, C channels."""

import numpy as np
import pytest
import torch

from training.pixels import Pixels


def test_normalises() -> None:
    """A byte becomes (byte / 255 - mean) / std of its channel, channels first."""
    image_NHWC = torch.randint(0, 256, (2, 4, 5, 3), dtype=torch.uint8)
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.6, 0.7])
    image_NCHW = Pixels(mean.tolist(), std.tolist())(image_NHWC)
    expected_NHWC = (image_NHWC.numpy() / 255 - mean) / std
    assert image_NCHW.dtype == torch.float32
    np.testing.assert_allclose(image_NCHW.permute(0, 2, 3, 1).numpy(), expected_NHWC, atol=1e-6)


def test_inverts_pictures_with_bright_border() -> None:
    """With `bright_on_dark` a picture and its negative are the same to the net, whatever else is in the batch."""
    pixels = Pixels([0.1], [0.3], bright_on_dark=True)
    image_NHWC = torch.zeros(3, 6, 5, 1, dtype=torch.uint8)
    image_NHWC[:, 2:4, 1:4] = torch.randint(0, 256, (3, 2, 3, 1), dtype=torch.uint8)
    mixed_NHWC = torch.stack([image_NHWC[0], 255 - image_NHWC[1], image_NHWC[2]])
    torch.testing.assert_close(pixels(mixed_NHWC), pixels(image_NHWC))


def test_border_alone_decides() -> None:
    """A dark picture with much bright ink inside is not inverted."""
    image_NHWC = torch.full((1, 9, 9, 1), 255, dtype=torch.uint8)
    image_NHWC[:, 0] = image_NHWC[:, -1] = image_NHWC[:, :, 0] = image_NHWC[:, :, -1] = 0
    scaled_NCHW = Pixels([0.0], [1.0], bright_on_dark=True).scale(image_NHWC)
    assert scaled_NCHW[0, 0, 4, 4] == 1
    assert scaled_NCHW[0, 0, 0, 0] == 0


@pytest.mark.parametrize("corner", [(0, 0), (0, 4), (5, 0), (5, 4), (0, 2), (5, 2), (3, 0), (3, 4)])
def test_every_border_pixel_counts_once(corner: tuple[int, int]) -> None:
    """Each pixel of the border counts once: with half of them bright, one more tips the picture."""
    border = [(row, column) for row in range(6) for column in range(5) if row in {0, 5} or column in {0, 4}]
    image_NHWC = torch.zeros(1, 6, 5, 1, dtype=torch.uint8)
    others = [place for place in border if place != corner]
    for row, column in others[: len(border) // 2]:
        image_NHWC[0, row, column] = 255
    pixels = Pixels([0.0], [1.0], bright_on_dark=True)
    assert pixels.scale(image_NHWC)[0, 0, 2, 2] == 0
    image_NHWC[0, corner[0], corner[1]] = 255
    assert pixels.scale(image_NHWC)[0, 0, 2, 2] == 1


def test_inverts_only_when_asked() -> None:
    """Without `bright_on_dark` a white picture stays white."""
    image_NHWC = torch.full((1, 4, 4, 1), 255, dtype=torch.uint8)
    assert torch.all(Pixels([0.0], [1.0])(image_NHWC) == 1)


def test_exports_with_any_batch() -> None:
    """The exported program takes batches of other sizes than the one it was traced with."""
    pixels = Pixels([0.1307], [0.3081], bright_on_dark=True)
    example_NHWC = torch.randint(0, 256, (2, 28, 28, 1), dtype=torch.uint8)
    batch = torch.export.Dim("batch")
    program = torch.export.export(pixels, (example_NHWC,), dynamic_shapes=({0: batch},))
    image_NHWC = torch.randint(0, 256, (5, 28, 28, 1), dtype=torch.uint8)
    torch.testing.assert_close(program.module()(image_NHWC), pixels(image_NHWC))


@pytest.mark.parametrize(("mean", "std"), [([0.5], [0.5, 0.5]), ([0.5], [0.0]), ([], [])])
def test_refuses_settings_that_cannot_be(mean: list[float], std: list[float]) -> None:
    """There is one mean and one positive deviation for each channel."""
    with pytest.raises(ValueError, match="one mean and one positive std"):
        Pixels(mean, std)
