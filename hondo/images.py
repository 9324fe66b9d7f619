"""From a picture file to the array that a graph takes: the one path for training and serving, so that nothing skews.

Legend: H height, W width, C channels (1 grey, 3 RGB).
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from hondo.enums import name_of
from hondo.errors import InvalidArtifact, InvalidImage
from protos.manifest_pb2 import ImageInput

FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

_MODES: Final = {1: "L", 3: "RGB"}
_FILTERS: Final = {
    ImageInput.NEAREST: Image.Resampling.NEAREST,
    ImageInput.BILINEAR: Image.Resampling.BILINEAR,
    ImageInput.BICUBIC: Image.Resampling.BICUBIC,
    ImageInput.LANCZOS: Image.Resampling.LANCZOS,
}


# A picture file whose head was read, but not yet its pixels.
Opened = Image.Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a picture may be before it is refused unread."""

    max_bytes: int = 20 * 2**20
    max_pixels: int = 50_000_000
    # Of width and height: the weights of a resize take memory and time by the side, however few the pixels.
    max_side_px: int = 16_384


def read(data: bytes, spec: ImageInput, limits: Limits = Limits()) -> NDArray[np.uint8]:
    """Decodes a picture file and brings it to the shape that a graph takes.

    Returns:
        image_HWC, u8.

    Raises:
        InvalidImage: not a picture in one of FORMATS, damaged, or beyond the limits.
    """
    return fit(decode(data, limits), spec)


def check(spec: ImageInput) -> None:
    """Holds that a manifest says completely how a picture becomes a graph's input.

    Raises:
        InvalidArtifact: a size, rule or filter is missing or unknown, or the cut is larger than the scaled picture.
    """
    shape_HWC = [spec.height, spec.width, spec.channels]
    if 0 in shape_HWC or spec.channels not in _MODES:
        raise InvalidArtifact(f"image: height, width and channels are {shape_HWC}, at least 1, 1 and 1 or 3 expected")
    if spec.filter not in _FILTERS:
        raise InvalidArtifact(f"image: filter is {name_of(ImageInput.Filter, spec.filter)}")
    if spec.resize not in {ImageInput.STRETCH, ImageInput.CENTER_CROP}:
        raise InvalidArtifact(f"image: resize is {name_of(ImageInput.Resize, spec.resize)}")
    if spec.resize == ImageInput.CENTER_CROP and spec.shorter_side < max(spec.height, spec.width):
        raise InvalidArtifact(f"image: shorter_side is {spec.shorter_side}, too small to cut {shape_HWC} out")


def decode(data: bytes, limits: Limits = Limits()) -> Image.Image:
    """Decodes a picture file (its first frame), upright by its EXIF orientation, as mode L or RGB.

    16-bit grey is scaled to 8 bits; transparent pixels are laid over white, as on a page.

    Raises:
        InvalidImage: not a picture in one of FORMATS, damaged, or beyond the limits.
    """
    return decoded(opened(data, limits))


def opened(data: bytes, limits: Limits = Limits()) -> Opened:
    """Reads the head of a picture file: its format and size. `decoded` reads the rest.

    Raises:
        InvalidImage: not a picture in one of FORMATS, or beyond the limits.
    """
    if not data:
        raise InvalidImage("the image is empty (0 bytes): send the bytes of a picture file")
    if len(data) > limits.max_bytes:
        raise InvalidImage(f"the image has {len(data):,} bytes, at most {limits.max_bytes:,} are taken")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels("far too many", limits) from None  # Pillow's own limit came first
    except UnidentifiedImageError:
        raise InvalidImage(f"the image is in none of the formats {', '.join(FORMATS)}") from None
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        raise _damaged(error) from error
    _check_size(image, limits)
    return image


def decoded(image: Opened) -> Image.Image:
    """Reads the pixels of a picture that was opened: see `decode`.

    Raises:
        InvalidImage: it is damaged, or of a kind whose pixels have no known range.
    """
    try:
        with image:
            ImageOps.exif_transpose(image, in_place=True)
            return _plain(image)
    except InvalidImage:
        raise
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        raise _damaged(error) from error


def _damaged(error: Exception) -> InvalidImage:
    return InvalidImage(f"the image is damaged: {error}")


def _check_size(image: Image.Image, limits: Limits) -> None:
    size = f"{image.width} x {image.height}"
    if image.width * image.height > limits.max_pixels:
        raise _too_many_pixels(size, limits)
    if max(image.size) > limits.max_side_px:
        raise InvalidImage(f"the image has {size} pixels, at most {limits.max_side_px:,} on a side are taken")


def _too_many_pixels(size: str, limits: Limits) -> InvalidImage:
    return InvalidImage(f"the image has {size} pixels, at most {limits.max_pixels:,} in all are taken")


def _plain(image: Image.Image) -> Image.Image:
    """Gives the same picture as L (grey) or RGB (anything with colour)."""
    image.load()
    if image.mode.startswith("I;16") or image.mode == "I":
        return _from_16_bit(image)
    if image.mode == "F":
        raise InvalidImage("the image has floating-point pixels, whose range is unknown: send 8 or 16 bits")
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("L" if image.mode in {"1", "L", "LA"} else "RGB")
    return _as(image, "L" if image.mode in {"1", "L"} else "RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    grey_HW = np.asarray(image)
    if grey_HW.min() < 0 or grey_HW.max() > 65535:
        raise InvalidImage("the image has 32-bit pixels, whose range is unknown: send 8 or 16 bits")
    # 65535 / 255 = 257; half of it rounds.
    return Image.fromarray(((grey_HW.astype(np.uint32) + 128) // 257).astype(np.uint8))


def fit(image: Image.Image, spec: ImageInput) -> NDArray[np.uint8]:
    """Brings a picture of any size, mode L or RGB, to the shape that a graph takes.

    Returns:
        image_HWC, u8, of the height, width and channels that `spec` says.
    """
    image = _as(image, _MODES[spec.channels])
    size = (spec.width, spec.height)
    match spec.resize:
        case ImageInput.STRETCH:
            scaled = image.resize(size, _FILTERS[spec.filter])
        case ImageInput.CENTER_CROP:
            scaled = _center_crop(image, spec)
        case _:
            raise ValueError(f"no such resize rule: {spec.resize}")
    return np.asarray(scaled).reshape(spec.height, spec.width, spec.channels)


def whole(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    """Gives a picture, mode L or RGB, as it is: image_HWC, u8, in grey (1 channel) or colour (3)."""
    image = _as(image, _MODES[channels])
    return np.asarray(image).reshape(image.height, image.width, channels)


def _center_crop(image: Image.Image, spec: ImageInput) -> Image.Image:
    """Scales the shorter side, then cuts out the centre; only the centre is computed, however long the picture is."""
    box = seen(image.width, image.height, spec)
    return image.resize((spec.width, spec.height), _FILTERS[spec.filter], box=box)


def seen(width: int, height: int, spec: ImageInput) -> tuple[float, float, float, float]:
    """Gives what of a picture comes into the array that a graph takes: left, top, right and bottom, pixels."""
    if spec.resize != ImageInput.CENTER_CROP:
        return 0.0, 0.0, float(width), float(height)
    scale = spec.shorter_side / min(width, height)
    left, right = _centre(width, round(width * scale), spec.width)
    top, bottom = _centre(height, round(height * scale), spec.height)
    return left, top, right, bottom


def _centre(side: int, scaled_side: int, cut_side: int) -> tuple[float, float]:
    """Gives where, on the picture as it is, the centre lies that is to be cut out of the scaled picture."""
    start = (scaled_side - cut_side) // 2
    return side * start / scaled_side, side * (start + cut_side) / scaled_side


def _as(image: Image.Image, mode: str) -> Image.Image:
    """Gives the picture in a mode; itself where it has it, since Pillow would copy it."""
    return image if image.mode == mode else image.convert(mode)
