"""Picture files in memory, of every kind that users send.

Legend: H height, W width, C channels.
"""

import io
import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# EXIF tag of the orientation.
ORIENTATION: Final = 0x0112


def gradient(height: int = 24, width: int = 36) -> NDArray[np.uint8]:
    """Gives a smooth u8[H,W,3], different in every corner and channel."""
    y_H1, x_1W = np.linspace(0, 1, height)[:, np.newaxis], np.linspace(0, 1, width)[np.newaxis]
    y_H1, x_1W = np.broadcast_arrays(y_H1, x_1W)
    image_HWC: NDArray[np.float64] = np.stack([255 * x_1W, 255 * y_H1, 255 * (x_1W + y_H1) / 2], axis=-1)
    return np.rint(image_HWC).astype(np.uint8)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Gives a picture as the bytes of a file of that kind (Pillow's name of it)."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *others: tuple[bytes, bytes]) -> bytes:
    """Gives a PNG file written by hand: whatever the header claims, with these rows (each begins with its filter)."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *others, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def png_16_bit(image: NDArray[np.uint16]) -> bytes:
    """Gives u16[H,W] or u16[H,W,3] as a PNG of 16 bits a sample."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    return png(image.shape[1], image.shape[0], 16, 0 if image.ndim == 2 else 2, rows)
