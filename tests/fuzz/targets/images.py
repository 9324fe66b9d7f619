"""Picture files: every format that Hondo reads, up to the array that a graph takes."""

from typing import Final

from PIL import Image

from hondo import images
from hondo.images import FORMATS, Limits
from protos.manifest_pb2 import ImageInput
from tests.hondo.pictures import ORIENTATION, encode, gradient, png_16_bit

_LIMITS: Final = Limits(max_bytes=60_000, max_pixels=1_000_000, max_side_px=4096)
_SPEC: Final = ImageInput(
    height=8, width=8, channels=3, resize=ImageInput.CENTER_CROP, shorter_side=9, filter=ImageInput.BICUBIC
)


def seeds() -> list[bytes]:
    """Gives pictures of every format, in several modes."""
    image = Image.fromarray(gradient(12, 18))
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    every = [encode(image, kind) for kind in FORMATS]
    every += [encode(image.convert(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGBA", "I;16")]
    every += [encode(image.convert(mode), "TIFF") for mode in ("1", "L", "CMYK", "I", "F", "YCbCr")]
    every += [encode(image, "TIFF", compression=each) for each in ("tiff_lzw", "jpeg", "tiff_deflate", "packbits")]
    every += [encode(image.convert("CMYK"), "JPEG"), encode(image, "JPEG", exif=turned, progressive=True)]
    every += [encode(image, "GIF", save_all=True, append_images=[image.rotate(90)])]
    every += [encode(image, "WEBP", lossless=True), png_16_bit(gradient(4, 4).astype("u2") * 257)]
    return every


def one(data: bytes) -> None:
    """Reads one."""
    images.read(data, _SPEC, _LIMITS)
