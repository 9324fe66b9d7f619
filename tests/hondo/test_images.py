from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hondo.images import decode
from tests.hondo.pictures import ORIENTATION, encode, gradient, png, png_16_bit

COLOUR: Final = Image.fromarray(gradient())
GREY: Final = COLOUR.convert("L")


def pixels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image).astype(np.int64)


def furthest(image: Image.Image, expected: Image.Image) -> int:
    """Gives the greatest difference of two pictures' pixels."""
    assert (image.size, image.mode) == (expected.size, expected.mode)
    return int(np.abs(pixels(image) - pixels(expected)).max())


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("image", [COLOUR, GREY], ids=["colour", "grey"])
def test_exact_formats_decode_exactly(kind: str, image: Image.Image) -> None:
    """A format without loss gives back the pixels that went in, grey as L and colour as RGB."""
    assert furthest(decode(encode(image, kind)), image) == 0


@pytest.mark.parametrize("options", [{"quality": 95}, {"quality": 95, "progressive": True}])
@pytest.mark.parametrize("image", [COLOUR, GREY], ids=["colour", "grey"])
def test_jpeg_decodes_within_its_loss(image: Image.Image, options: dict[str, object]) -> None:
    """JPEG, baseline and progressive, decodes to what went in, but for its own loss."""
    assert furthest(decode(encode(image, "JPEG", subsampling=0, **options)), image) <= 8


def test_webp_decodes_exactly_and_within_its_loss() -> None:
    """WebP decodes exactly where it is lossless, else within its own loss."""
    assert furthest(decode(encode(COLOUR, "WEBP", lossless=True)), COLOUR) == 0
    assert furthest(decode(encode(COLOUR, "WEBP", quality=95)), COLOUR) <= 16


def test_gif_decodes_through_its_palette() -> None:
    """GIF has a palette; its colours come out as RGB."""
    palette = COLOUR.quantize(64)
    assert furthest(decode(encode(palette, "GIF")), palette.convert("RGB")) == 0


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff_decodes(compression: str) -> None:
    """TIFF's usual compressions without loss are read."""
    assert furthest(decode(encode(COLOUR, "TIFF", compression=compression)), COLOUR) == 0


def test_one_bit_becomes_black_and_white() -> None:
    """1-bit pictures become grey of 0 and 255."""
    for kind in ("PNG", "TIFF", "BMP"):
        image = decode(encode(GREY.convert("1"), kind))
        assert furthest(image, GREY.convert("1").convert("L")) == 0
        assert set(np.unique(pixels(image))) == {0, 255}


def test_palette_becomes_rgb() -> None:
    """A palette's colours come out as RGB, also where all happen to be grey."""
    assert furthest(decode(encode(COLOUR.quantize(64), "PNG")), COLOUR.quantize(64).convert("RGB")) == 0
    assert decode(encode(GREY.convert("P"), "PNG")).mode == "RGB"


def over_white(colour: NDArray[np.float64], alpha: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gives what a colour of that opacity (0 to 255) looks like on white paper."""
    return (colour * alpha + 255.0 * (255.0 - alpha)) / 255.0


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_colour_lies_over_white(kind: str) -> None:
    """RGBA is laid over white by its opacity."""
    alpha_HW = np.linspace(0, 255, 24 * 36).reshape(24, 36).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([gradient(), alpha_HW]))
    options: dict[str, object] = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    image = decode(encode(rgba, kind, **options))
    assert image.mode == "RGB"
    expected = over_white(gradient().astype(float), alpha_HW[..., np.newaxis].astype(float))
    assert np.abs(np.asarray(image) - expected).max() <= 1


def test_transparent_grey_lies_over_white() -> None:
    """LA is laid over white and stays grey."""
    alpha_HW = np.linspace(0, 255, 24 * 36).reshape(24, 36).astype(np.uint8)
    grey_alpha = Image.merge("LA", [GREY, Image.fromarray(alpha_HW)])
    image = decode(encode(grey_alpha, "PNG"))
    assert image.mode == "L"
    assert np.abs(np.asarray(image) - over_white(np.asarray(GREY).astype(float), alpha_HW.astype(float))).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_entry_becomes_white(kind: str) -> None:
    """A palette's transparent colour is white paper, whatever colour the palette gives it."""
    palette = Image.new("P", (4, 2))
    palette.putpalette([200, 0, 0, 0, 0, 200])
    palette.paste(1, (0, 0, 2, 2))
    image = decode(encode(palette, kind, transparency=0))
    assert [image.getpixel((x, 0)) for x in range(4)] == [(0, 0, 200)] * 2 + [(255, 255, 255)] * 2


def test_palette_with_an_opacity_for_each_entry_lies_over_white() -> None:
    """PNG's opacity for each palette entry is applied."""
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.putpixel((1, 0), 1)
    image = decode(encode(palette, "PNG", transparency=bytes([255, 55])))
    assert [image.getpixel((x, 0)) for x in range(2)] == [(0, 0, 0), (200, 200, 200)]


def test_transparent_colour_key_becomes_white() -> None:
    """PNG's one transparent colour, grey or RGB, is white paper."""
    grey = png(2, 1, 8, 0, b"\0\x10\x20", (b"tRNS", b"\0\x10"))
    assert [decode(grey).getpixel((x, 0)) for x in range(2)] == [255, 0x20]
    colour = png(2, 1, 8, 2, b"\0" + b"\x10\x20\x30" + b"\x40\x50\x60", (b"tRNS", b"\0\x10\0\x20\0\x30"))
    assert [decode(colour).getpixel((x, 0)) for x in range(2)] == [(255, 255, 255), (0x40, 0x50, 0x60)]


def test_cmyk_jpeg_becomes_rgb() -> None:
    """A JPEG made for print comes out in its colours, not inverted."""
    image = decode(encode(Image.new("RGB", (16, 16), (200, 40, 40)).convert("CMYK"), "JPEG", quality=95))
    assert image.mode == "RGB"
    assert np.abs(pixels(image) - [200, 40, 40]).max() <= 6


GREY_16: Final = np.linspace(0, 65535, 24 * 36).round().astype(np.uint16).reshape(24, 36)


@pytest.mark.parametrize(
    "data",
    [
        png_16_bit(GREY_16),
        encode(Image.fromarray(GREY_16), "TIFF"),
        encode(Image.frombytes("I;16B", (36, 24), GREY_16.astype(">u2").tobytes()), "TIFF"),
    ],
    ids=["PNG", "TIFF", "TIFF big-endian"],
)
def test_16_bit_grey_is_scaled(data: bytes) -> None:
    """16-bit grey is scaled as a whole, 65535 to 255, not cut off."""
    image = decode(data)
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), np.rint(GREY_16 / 257))


def test_16_bit_colour_is_scaled() -> None:
    """16-bit RGB is scaled too, to within one step."""
    colour_HWC = np.stack([GREY_16, GREY_16[::-1], GREY_16[:, ::-1]], axis=-1)
    image = decode(png_16_bit(colour_HWC))
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image) - colour_HWC / 257).max() <= 1


def oriented(upright: NDArray[np.uint8]) -> dict[int, NDArray[np.uint8]]:
    """Gives how the camera stores an upright picture, by the EXIF orientation that it writes beside it."""
    return {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: upright.swapaxes(0, 1)[::-1],
        7: upright.swapaxes(0, 1)[::-1, ::-1],
        8: upright.swapaxes(0, 1)[:, ::-1],
    }


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_stands_upright(orientation: int, kind: str) -> None:
    """Each of EXIF's eight orientations comes out upright."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(oriented(gradient())[orientation]))
    assert furthest(decode(encode(stored, kind, exif=exif)), COLOUR) <= 40  # JPEG's and WebP's loss


def test_16_bit_picture_stands_upright() -> None:
    """The orientation is heeded where there are 16 bits, too."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored = Image.fromarray(np.ascontiguousarray(GREY_16.T[::-1]))
    assert np.array_equal(np.asarray(decode(encode(stored, "TIFF", exif=exif))), np.rint(GREY_16 / 257))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_first_frame_counts(kind: str) -> None:
    """Of an animation or a file of several pages, the first picture counts."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.abs(pixels(decode(data)) - [255, 0, 0]).max() <= 8


def test_jpeg_with_further_pictures_in_it_is_a_jpeg() -> None:
    """Phones append further pictures to a JPEG (MPO); the first one counts."""
    data = encode(COLOUR, "MPO", save_all=True, append_images=[GREY.convert("RGB")], quality=95, subsampling=0)
    assert furthest(decode(data), COLOUR) <= 8
