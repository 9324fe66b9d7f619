"""Legend: N pictures, H height, W width, C channels."""

import numpy as np
import pytest

from hondo import images
from protos.manifest_pb2 import ImageInput
from training.data.dataset import Pictures, image


def spec(side: int, channels: int = 1) -> ImageInput:
    return ImageInput(height=side, width=side, channels=channels, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR)


def some(side: int, channels: int = 1) -> Pictures:
    random = np.random.default_rng(0)
    return Pictures(random.integers(0, 256, (6, side, side, channels), dtype=np.uint8), np.arange(6))


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_the_right_size_stay_as_they_are(channels: int) -> None:
    """Fitting to the size that pictures have changes no byte."""
    pictures = some(28, channels)
    np.testing.assert_array_equal(pictures.fit(spec(28, channels)).images_NHWC, pictures.images_NHWC)


def test_fits_as_serving_does() -> None:
    """Pictures of another size are brought to the recipe's by the code that serves."""
    pictures = some(8)
    fitted = pictures.fit(spec(28))
    assert fitted.images_NHWC.shape == (6, 28, 28, 1)
    np.testing.assert_array_equal(fitted.images_NHWC[2], images.fit(image(pictures.images_NHWC[2]), spec(28)))


def test_takes_pictures_with_their_labels() -> None:
    """A selection keeps each picture beside its label."""
    pictures = some(4)
    taken = pictures.take(np.array([4, 1]))
    np.testing.assert_array_equal(taken.images_NHWC, pictures.images_NHWC[[4, 1]])
    assert taken.labels_N.tolist() == [4, 1]


def test_every_picture_has_a_label() -> None:
    """Other numbers of labels than of pictures are refused."""
    with pytest.raises(ValueError, match="6 pictures have 5 labels"):
        Pictures(some(4).images_NHWC, np.arange(5))
