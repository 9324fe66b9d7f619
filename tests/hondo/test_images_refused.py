import time
import tracemalloc
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hondo.errors import InvalidImage
from hondo.images import FORMATS, Limits, decode
from tests.hondo.pictures import encode, gradient, png, png_16_bit

COLOUR: Final = Image.fromarray(gradient())
_LIMITS: Final = Limits()


def refused(data: bytes, limits: Limits = _LIMITS) -> str:
    """Gives the text with which a file is refused."""
    with pytest.raises(InvalidImage) as raised:
        decode(data, limits)
    return str(raised.value)


def test_floating_point_is_refused() -> None:
    """A TIFF of floating-point pixels has no known range: it is refused, saying so."""
    assert "floating-point" in refused(encode(Image.new("F", (4, 4), 0.5), "TIFF"))


@pytest.mark.parametrize("value", [-1, 65536, 2**31 - 1])
def test_32_bit_is_refused(value: int) -> None:
    """A TIFF of 32-bit integers beyond 16 bits has no known range: it is refused, saying so."""
    assert "32-bit" in refused(encode(Image.new("I", (4, 4), value), "TIFF"))


def test_empty_file_is_refused() -> None:
    """No bytes are no picture, and the text says that none came."""
    assert "empty (0 bytes)" in refused(b"")


@pytest.mark.parametrize("data", [b"hello", bytes(1000), b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\0"])
def test_garbage_is_refused(data: bytes) -> None:
    """Bytes that are no picture are refused, though they begin like one."""
    refused(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated_file_is_refused(kind: str) -> None:
    """A file that ends in the middle is refused, not filled up with grey."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = encode(noise, kind)
    decode(data)
    for part in (0.1, 0.5, 0.9):
        refused(data[: int(len(data) * part)])


@pytest.mark.parametrize("kind", ["PPM", "ICO", "EPS", "TGA", "PCX", "PDF", "JPEG2000"])
def test_other_formats_are_refused(kind: str) -> None:
    """What Pillow could read besides stays shut, and the text names the formats that are open."""
    text = refused(encode(COLOUR, kind))
    assert all(name in text for name in FORMATS)


def test_too_many_bytes_are_refused() -> None:
    """A file beyond the limit of bytes is refused, naming both figures; one at the limit is taken."""
    data = encode(COLOUR, "PNG")
    decode(data, Limits(max_bytes=len(data)))
    text = refused(data, Limits(max_bytes=len(data) - 1))
    assert f"{len(data):,} bytes" in text
    assert f"{len(data) - 1:,}" in text


def test_too_many_pixels_are_refused() -> None:
    """A picture beyond the limit of pixels is refused, naming size and limit; one at the limit is taken."""
    data = encode(COLOUR, "PNG")
    decode(data, Limits(max_pixels=24 * 36))
    text = refused(data, Limits(max_pixels=24 * 36 - 1))
    assert "36 x 24" in text
    assert "863" in text


@pytest.mark.parametrize("size", [(36, 24), (24, 36)])
def test_too_long_a_side_is_refused(size: tuple[int, int]) -> None:
    """A picture with a side beyond the limit is refused, naming size and limit; one at the limit is taken."""
    data = encode(COLOUR.resize(size), "PNG")
    decode(data, Limits(max_side_px=36))
    text = refused(data, Limits(max_side_px=35))
    assert f"{size[0]} x {size[1]}" in text
    assert "at most 35 on a side" in text


def test_a_strip_within_the_pixels_is_refused() -> None:
    """A strip of one pixel's width, which costs seconds to resize, is refused although its pixels are few enough."""
    assert "on a side" in refused(png(1, 50_000_000, 8, 0, bytes(100)))


def bomb(kind: str, side: int) -> bytes:
    """Gives a small file that claims a picture of side x side pixels."""
    if kind == "PNG":
        return png(side, side, 8, 2, bytes(100))
    data = bytearray(encode(Image.new("RGB", (8, 8)), kind))
    size = side.to_bytes(4, "little")
    match kind:
        case "BMP":
            data[18:26] = size + size
        case "GIF":
            data[6:10] = size[:2] + size[:2]
        case "JPEG":
            at = data.index(b"\xff\xc0") + 5
            data[at : at + 4] = (size[:2])[::-1] * 2
        case _:
            assert kind == "TIFF"
            for tag in (b"\x00\x01\x03\x00", b"\x00\x01\x04\x00", b"\x01\x01\x03\x00", b"\x01\x01\x04\x00"):
                if tag in data:
                    at = data.index(tag)
                    data[at : at + 12] = tag[:2] + b"\x04\x00\x01\x00\x00\x00" + size
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG", "TIFF"])
@pytest.mark.parametrize("side", [7_500, 10_000, 60_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bomb_is_refused_unopened(kind: str, side: int) -> None:
    """A few bytes that claim millions of pixels are refused at once, for their pixels, without room made for them."""
    data = bomb(kind, side)
    assert len(data) < 2_000
    tracemalloc.start()
    started_s = time.perf_counter()
    assert "pixels, at most 50,000,000" in refused(data)
    took_s = time.perf_counter() - started_s
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took_s < 1
    assert peak_bytes < 2 * 2**20


def decodes_or_refuses(data: bytes) -> None:
    """Holds that a file decodes to a plain picture or is refused with InvalidImage."""
    try:
        image = decode(data, Limits(max_pixels=1_000_000))
    except InvalidImage:
        return
    assert image.mode in {"L", "RGB"}
    assert np.asarray(image).shape[:2] == (image.height, image.width)


MAGIC: Final = (
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"RIFF\0\1\0\0WEBPVP8 ",
)


@given(st.sampled_from(MAGIC), st.binary(max_size=200))
def test_random_bytes_decode_or_are_refused(magic: bytes, rest: bytes) -> None:
    """Whatever bytes come, with the first bytes of a format or without, nothing but InvalidImage is raised."""
    decodes_or_refuses(magic + rest)


VALID: Final = [
    *(encode(COLOUR.resize((12, 9)), kind) for kind in FORMATS),
    encode(COLOUR.resize((12, 9)).convert("L"), "TIFF", compression="tiff_lzw"),
    encode(COLOUR.resize((12, 9)).convert("CMYK"), "JPEG"),
    encode(COLOUR.resize((12, 9)).convert("RGBA"), "WEBP", lossless=True),
    encode(COLOUR.resize((12, 9)).quantize(8), "PNG", transparency=bytes(range(8))),
    png_16_bit(np.arange(0, 65536, 2048, dtype=np.uint16).reshape(4, 8)),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draws a valid file with some bytes overwritten, cut out or doubled."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data) - 1))
        end = min(len(data), start + draw(st.integers(0, 8)))
        match draw(st.sampled_from(["overwrite", "cut", "double"])):
            case "overwrite":
                data[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
            case "cut" if len(data) > end - start:
                del data[start:end]
            case _:
                data[start:start] = data[start:end]
    return bytes(data)


@given(damaged())
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_decode_or_are_refused(data: bytes) -> None:
    """However a valid file is damaged, nothing but InvalidImage is raised."""
    decodes_or_refuses(data)
