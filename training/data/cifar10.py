"""CIFAR-10: Krizhevsky 2009, 60,000 colour pictures of 32x32 in 10 classes.

Read either as published (the "binary version") or from sheets: lossless WebP files of 500 pictures one above another,
picture i of a split having label i % 10.

Legend: N pictures, H height, W width, C channels.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hondo import artifact
from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource
from training.data.dataset import DataSet, Pictures

NAME: Final = "cifar10"
WHERE: Final = "https://www.cs.toronto.edu/~kriz/cifar.html, the binary version, unpacked"
LABELS: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

LOOKED_FOR: Final = "CIFAR-10: data_batch_1.bin to data_batch_5.bin and test_batch.bin, or train_*.webp and test_*.webp"

_SIDE_PX: Final = 32
_CHANNELS: Final = 3
_TRAIN_BATCHES: Final = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST_BATCHES: Final = ("test_batch.bin",)
_RECORD_BYTES: Final = 1 + _CHANNELS * _SIDE_PX * _SIDE_PX
_PICTURES_A_BATCH: Final = 10_000
_PICTURES_A_SHEET: Final = 500
# Of the 10,000 test pictures as sheets order them, u8[N,H,W,C].
_TEST_SHEETS_SHA256: Final = "2cb33ebd3baf2203de69f5720681e1bb0eeca2683678f1283170fc5c30932455"


def recognises(folder: Path) -> bool:
    """Tells whether a folder looks like CIFAR-10, in either form."""
    return any(folder.glob("*_batch*.bin")) or any(folder.glob("train_*.webp"))


def read(folder: Path) -> DataSet[Pictures]:
    """Reads CIFAR-10.

    Raises:
        MissingData: a file is missing, damaged or of another size.
    """
    if any(folder.glob("train_*.webp")):
        return _read_sheets(folder)
    paths = [folder / name for name in (*_TRAIN_BATCHES, *_TEST_BATCHES)]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise MissingData(f"{', '.join(missing)} of CIFAR-10 missing in {folder}: to be had from {WHERE}")
    train = _joined([_batch(path) for path in paths[: len(_TRAIN_BATCHES)]])
    return DataSet(_source(paths, "all"), LABELS, train, _joined([_batch(path) for path in paths[-1:]]))


def _batch(path: Path) -> Pictures:
    content = np.fromfile(path, np.uint8)
    if len(content) != _PICTURES_A_BATCH * _RECORD_BYTES:
        expected = _PICTURES_A_BATCH * _RECORD_BYTES
        raise MissingData(f"{path} has {len(content):,} bytes, but a batch of CIFAR-10 has {expected:,}")
    records = content.reshape(_PICTURES_A_BATCH, _RECORD_BYTES)
    if (highest := int(records[:, 0].max())) >= len(LABELS):
        raise MissingData(f"{path} is damaged: it has a label {highest}")
    images_NCHW = records[:, 1:].reshape(-1, _CHANNELS, _SIDE_PX, _SIDE_PX)
    return Pictures(np.ascontiguousarray(images_NCHW.transpose(0, 2, 3, 1)), records[:, 0].astype(np.int64))


def _read_sheets(folder: Path) -> DataSet[Pictures]:
    train_paths, test_paths = (sorted(folder.glob(f"{split}_*.webp")) for split in ("train", "test"))
    train, test = (_joined([_sheet(path) for path in paths]) for paths in (train_paths, test_paths))
    if hashlib.sha256(test.images_NHWC.tobytes()).hexdigest() != _TEST_SHEETS_SHA256:
        raise MissingData(
            f"the {len(test):,} test pictures in {folder} are not CIFAR-10's: a sheet is missing or other"
        )
    part = "all" if len(train) == len(_TRAIN_BATCHES) * _PICTURES_A_BATCH else f"{len(train):,} of the 50,000"
    return DataSet(_source([*train_paths, *test_paths], part), LABELS, train, test)


def _sheet(path: Path) -> Pictures:
    try:
        with Image.open(path) as sheet:
            pixels_HWC: NDArray[np.uint8] = np.asarray(sheet.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise MissingData(f"{path} cannot be read: {error}") from error
    if pixels_HWC.shape != (_PICTURES_A_SHEET * _SIDE_PX, _SIDE_PX, _CHANNELS):
        raise MissingData(f"{path} is {pixels_HWC.shape} pixels, not a sheet of {_PICTURES_A_SHEET} pictures")
    labels_N = np.arange(_PICTURES_A_SHEET, dtype=np.int64) % len(LABELS)
    return Pictures(pixels_HWC.reshape(-1, _SIDE_PX, _SIDE_PX, _CHANNELS), labels_N)


def _joined(parts: Sequence[Pictures]) -> Pictures:
    if not parts:
        raise MissingData(f"no pictures of CIFAR-10: to be had from {WHERE}")
    images_NHWC = np.concatenate([part.images_NHWC for part in parts])
    return Pictures(images_NHWC, np.concatenate([part.labels_N for part in parts]))


def _source(paths: Sequence[Path], part: str) -> DataSource:
    return DataSource(
        name=NAME,
        origin=f"CIFAR-10, Krizhevsky, Nair, Hinton 2009 ({part} training pictures)",
        terms="no licence stated; free for research, cite Krizhevsky 2009",
        sha256={path.name: artifact.sha256(path) for path in paths},
    )
