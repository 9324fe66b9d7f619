import subprocess
import sys
from typing import Final

import numpy as np
import pytest
from PIL import Image

from hondo import images
from hondo.images import FORMATS, SUFFIXES, fit
from protos.manifest_pb2 import ImageInput
from tests.hondo.pictures import encode, gradient

COLOUR: Final = Image.fromarray(gradient())
GREY: Final = COLOUR.convert("L")


def spec(height: int, width: int, channels: int = 3, **more: object) -> ImageInput:
    made = ImageInput(
        height=height, width=width, channels=channels, resize=ImageInput.STRETCH, filter=ImageInput.BICUBIC
    )
    made.MergeFrom(ImageInput(**more))  # type: ignore[arg-type]
    return made


FILTERS: Final = {
    ImageInput.NEAREST: Image.Resampling.NEAREST,
    ImageInput.BILINEAR: Image.Resampling.BILINEAR,
    ImageInput.BICUBIC: Image.Resampling.BICUBIC,
    ImageInput.LANCZOS: Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize(("height", "width"), [(10, 10), (48, 20), (24, 36), (100, 7)])
def test_stretch_is_plain_resizing(filter_: ImageInput.Filter, height: int, width: int) -> None:
    """STRETCH gives what Pillow's resize gives, with the filter that the manifest names."""
    image_HWC = fit(COLOUR, spec(height, width, filter=filter_))
    assert image_HWC.dtype == np.uint8
    assert np.array_equal(image_HWC, np.asarray(COLOUR.resize((width, height), FILTERS[filter_])))


def test_picture_of_the_right_size_stays_as_it_is() -> None:
    """A 28 x 28 picture for a 28 x 28 graph passes unchanged, through file and all."""
    digit_HW = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    for filter_ in FILTERS:
        image_HWC = images.read(encode(Image.fromarray(digit_HW), "PNG"), spec(28, 28, 1, filter=filter_))
        assert image_HWC.shape == (28, 28, 1)
        assert np.array_equal(image_HWC[..., 0], digit_HW)


@pytest.mark.parametrize("filter_", [ImageInput.BILINEAR, ImageInput.BICUBIC, ImageInput.LANCZOS])
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (257, 256), (64, 48), (224, 224), (1000, 40)])
def test_centre_crop_is_resizing_then_cropping(filter_: ImageInput.Filter, size: tuple[int, int]) -> None:
    """CENTER_CROP gives what scaling the shorter side and cutting out the centre gives, to within one step."""
    image = Image.fromarray(gradient(size[1], size[0]))
    cropped_HWC = fit(image, spec(32, 48, resize=ImageInput.CENTER_CROP, filter=filter_, shorter_side=56))
    scale = 56 / min(size)
    width, height = (round(side * scale) for side in size)
    left, top = (width - 48) // 2, (height - 32) // 2
    by_hand = image.resize((width, height), FILTERS[filter_]).crop((left, top, left + 48, top + 32))
    assert np.abs(cropped_HWC.astype(int) - np.asarray(by_hand)).max() <= 1


def test_centre_crop_takes_the_centre() -> None:
    """CENTER_CROP keeps the middle of the longer side and loses its ends."""
    stripes = Image.new("RGB", (90, 30), "red")
    stripes.paste("lime", (30, 0, 60, 30))
    cropped_HWC = fit(stripes, spec(30, 30, resize=ImageInput.CENTER_CROP, filter=ImageInput.NEAREST, shorter_side=30))
    assert (cropped_HWC == [0, 255, 0]).all()


@pytest.mark.parametrize("size", [(1, 16_000), (16_000, 1)])
def test_centre_crop_of_a_thread_is_cheap(size: tuple[int, int]) -> None:
    """A picture of one pixel's width is not blown up along its whole length before the centre is cut out."""
    code = f"""
import resource
from PIL import Image
from hondo.images import read
from protos.manifest_pb2 import ImageInput
from tests.hondo.pictures import encode

data = encode(Image.new("L", {size}, 7), "PNG")
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
spec = ImageInput(height=224, width=224, channels=3, resize="CENTER_CROP", filter="BICUBIC", shorter_side=256)
image_HWC = read(data, spec)
assert image_HWC.shape == (224, 224, 3) and (image_HWC == 7).all()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_channels_are_the_graphs() -> None:
    """For a grey graph colour becomes ITU-R 601 luma; for a colour graph grey fills all three channels."""
    red, green, blue = np.moveaxis(gradient().astype(float), -1, 0)
    luma_HW = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(fit(COLOUR, spec(24, 36, 1))[..., 0] - luma_HW).max() <= 1
    assert np.array_equal(fit(GREY, spec(24, 36)), np.repeat(np.asarray(GREY)[..., np.newaxis], 3, axis=2))


def test_suffixes_are_those_of_the_formats() -> None:
    """What `hondo classify` looks for in a folder is what decodes, and nothing else."""
    Image.init()
    assert {Image.EXTENSION[suffix] for suffix in SUFFIXES} == set(FORMATS)


def test_a_whole_picture_keeps_its_size() -> None:
    """Where a graph takes any size, a picture becomes as many values as it has pixels, in grey or in colour."""
    assert np.array_equal(images.whole(COLOUR, 3), np.asarray(COLOUR))
    assert np.array_equal(images.whole(COLOUR, 1)[:, :, 0], np.asarray(GREY))
    assert images.whole(GREY, 3).shape == (*images.whole(GREY, 1).shape[:2], 3)
