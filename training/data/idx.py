"""The idx files of MNIST and its kin: four files of big-endian header and bytes, gzipped or not.

Legend: N pictures, H height, W width.
"""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource
from training.data.dataset import DataSet, Pictures
from training.data.publication import Publication

TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"
FILES: Final = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

LOOKED_FOR: Final = f"MNIST and its kin: {', '.join(FILES)}, each as it is or as .gz"

# Two zero bytes, 8 for u8, and the number of dimensions.
_MAGIC_IMAGES: Final = 0x0803
_MAGIC_LABELS: Final = 0x0801


def recognises(folder: Path) -> bool:
    """Tells whether a folder holds one of the four files."""
    return any(path.is_file() for name in FILES for path in _places(folder, name))


def read(folder: Path, known: Sequence[Publication]) -> DataSet[Pictures]:
    """Reads the four files, each as NAME.gz or NAME.

    Args:
        folder: where they lie.
        known: the sets that are recognised, by the hashes of their files. Any other is named "idx", after its form,
            and its labels are numbers.

    Raises:
        MissingData: a file is missing, damaged or disagrees with another.
    """
    for name in FILES:
        if not any(path.is_file() for path in _places(folder, name)):
            raise _missing(folder, name, known)
    contents = {name: _unpacked(folder, name) for name in FILES}
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    train = _pictures(folder, contents, TRAIN_IMAGES, TRAIN_LABELS)
    test = _pictures(folder, contents, TEST_IMAGES, TEST_LABELS)
    found = next((it for it in known if it.sha256 == sha256), None) or _unknown(folder, sha256, train, test)
    source = DataSource(name=found.name, origin=found.origin, terms=found.terms, sha256=sha256)
    return DataSet(source=source, labels=found.labels, train=train, test=test)


def _unknown(folder: Path, sha256: Mapping[str, str], train: Pictures, test: Pictures) -> Publication:
    classes = 1 + int(max(train.labels_N.max(), test.labels_N.max()))
    labels = tuple(str(number) for number in range(classes))
    origin = str(folder.resolve())
    return Publication(name="idx", origin=origin, terms="unknown", where=origin, labels=labels, sha256=sha256)


def _places(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.gz", folder / name


def _missing(folder: Path, name: str, known: Sequence[Publication]) -> MissingData:
    sources = "; ".join(f"{publication.name} is to be had from {publication.where}" for publication in known)
    return MissingData(
        f"{folder / name}.gz is missing. Expected in that folder, gzipped or not: {', '.join(FILES)}. {sources}"
    )


def _unpacked(folder: Path, name: str) -> bytes:
    packed, plain = _places(folder, name)
    try:
        return gzip.decompress(packed.read_bytes()) if packed.is_file() else plain.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise MissingData(f"{name} in {folder} cannot be read: {error}") from error


def _pictures(folder: Path, contents: Mapping[str, bytes], images_name: str, labels_name: str) -> Pictures:
    images_NHW = _array(folder / images_name, contents[images_name], _MAGIC_IMAGES)
    labels_N = _array(folder / labels_name, contents[labels_name], _MAGIC_LABELS)
    if len(images_NHW) != len(labels_N):
        raise MissingData(
            f"{folder / images_name} has {len(images_NHW)} pictures, {labels_name} {len(labels_N)} labels"
        )
    if not len(labels_N):
        raise MissingData(f"{folder / images_name} holds no picture")
    return Pictures(images_NHW[..., np.newaxis], labels_N.astype(np.int64))


def _array(path: Path, content: bytes, magic: int) -> NDArray[np.uint8]:
    dimensions = magic & 0xFF
    header_bytes = 4 + 4 * dimensions
    if not content.startswith(magic.to_bytes(4)):
        raise MissingData(f"{path} is no such idx file: it starts with {content[:4].hex()}, not {magic:08x}")
    if len(content) < header_bytes:
        raise MissingData(f"{path} is cut short: {len(content)} bytes do not even hold its header")
    shape = struct.unpack_from(f">{dimensions}I", content, offset=4)
    expected_bytes = header_bytes + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected_bytes:
        raise MissingData(f"{path} has {len(content):,} bytes unpacked, but its header says {expected_bytes:,}")
    return np.frombuffer(content, np.uint8, offset=header_bytes).reshape(shape)
