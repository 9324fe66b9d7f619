"""BSDS500: Arbelaez, Maire, Fowlkes, Malik 2011, pictures whose boundaries several people drew, each for themselves.

Read from images/SPLIT/ID.jpg, as published, and groundtruth_SPLIT.npz: arrays `ids`, `height`, `width`, `annotators`
and `bits`, which holds one map after another, annotator by annotator, each np.packbits of its rows.

Legend: A annotators, H height, W width.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hondo import artifact, images
from hondo.errors import InvalidImage, MissingData
from protos.manifest_pb2 import DataSource

NAME: Final = "bsds500"
WHERE: Final = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html"
LOOKED_FOR: Final = "BSDS500: images/train/*.jpg, groundtruth_train.npz, and the same for val and test"

Split = Literal["train", "val", "test"]
_CHANNELS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A picture and what each of its annotators drew."""

    # "100075": the file's name without its suffix.
    name: str
    image_HWC: NDArray[np.uint8]
    # True on boundaries, which are lines one pixel wide.
    boundaries_AHW: NDArray[np.bool_]


def recognises(folder: Path) -> bool:
    """Tells whether a folder looks like BSDS500."""
    return any(folder.glob("groundtruth_*.npz"))


def read(folder: Path, split: Split) -> list[Drawn]:
    """Reads the pictures of a split, in the order of their names.

    Raises:
        MissingData: a file is missing or damaged, or disagrees with another.
    """
    path = _truth(folder, split)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names, heights, widths, counts = (arrays[key] for key in ("ids", "height", "width", "annotators"))
            bits = arrays["bits"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise MissingData(f"{path} cannot be read: {error}; {NAME} is to be had from {WHERE}") from error
    drawn, start = [], 0
    for name, height, width, count in zip(names, heights.tolist(), widths.tolist(), counts.tolist(), strict=True):
        map_bytes = -(-height * width // 8)
        packed_AB = bits[start : start + count * map_bytes].reshape(count, map_bytes)
        boundaries_AHW = np.unpackbits(packed_AB, axis=1, count=height * width).reshape(count, height, width)
        drawn.append(_drawn(folder / "images" / split / f"{name}.jpg", boundaries_AHW.astype(np.bool_)))
        start += count * map_bytes
    return drawn


def source(folder: Path, splits: tuple[Split, ...]) -> DataSource:
    """Says where the data of some splits is from."""
    return DataSource(
        name=NAME,
        origin=f"BSDS500 ({' and '.join(splits)}), Arbelaez, Maire, Fowlkes, Malik 2011",
        terms="non-commercial research and education; cite Arbelaez et al., TPAMI 33 (2011)",
        sha256={_truth(folder, split).name: artifact.sha256(_truth(folder, split)) for split in splits},
    )


def _truth(folder: Path, split: Split) -> Path:
    path = folder / f"groundtruth_{split}.npz"
    if not path.is_file():
        raise MissingData(f"{path} is missing. Looked for {LOOKED_FOR}; the pictures are to be had from {WHERE}")
    return path


def _drawn(path: Path, boundaries_AHW: NDArray[np.bool_]) -> Drawn:
    try:
        image_HWC = images.whole(images.decode(path.read_bytes()), _CHANNELS)
    except (OSError, InvalidImage) as error:
        raise MissingData(f"{path} cannot be read: {error}") from error
    if image_HWC.shape[:2] != boundaries_AHW.shape[1:]:
        raise MissingData(f"{path} has {image_HWC.shape[:2]} pixels, its boundaries {boundaries_AHW.shape[1:]}")
    return Drawn(path.stem, image_HWC, boundaries_AHW)
