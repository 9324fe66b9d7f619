import shutil
from pathlib import Path

import numpy as np
import pytest

from hondo.errors import MissingData
from tests.training.edges.squares import PEOPLE, square, write_split
from training.data import bsds500


def test_reads_pictures_and_what_each_person_drew(bsds: Path) -> None:
    """Every picture has its own size, its people's maps in their order, and the colours of its file."""
    upright, lying = bsds500.read(bsds, "test")
    assert (upright.name, lying.name) == ("6", "7")
    image_HWC, boundaries_AHW = square(48, 65, 9, 12, 24)
    assert lying.boundaries_AHW.shape == (PEOPLE, 48, 65)
    assert np.array_equal(lying.boundaries_AHW, boundaries_AHW)
    assert np.abs(lying.image_HWC.astype(int) - image_HWC).mean() < 3
    assert upright.image_HWC.shape == (65, 48, 3)


def test_is_recognised_by_its_files(bsds: Path, tmp_path: Path) -> None:
    """A folder with ground truth is BSDS500, an empty one is not."""
    assert bsds500.recognises(bsds)
    assert not bsds500.recognises(tmp_path)


def test_tells_where_it_is_from(bsds: Path) -> None:
    """The source names the splits, and has the hash of each one's ground truth."""
    source = bsds500.source(bsds, ("train", "val"))
    assert source.name == "bsds500"
    assert "train and val" in source.origin
    assert set(source.sha256) == {"groundtruth_train.npz", "groundtruth_val.npz"}


def test_refuses_what_is_missing_or_disagrees(tmp_path: Path) -> None:
    """A missing split, a damaged one, a missing picture and one of another size are told."""
    with pytest.raises(MissingData, match=r"groundtruth_train\.npz is missing"):
        bsds500.read(tmp_path, "train")
    write_split(tmp_path, "train", ["1", "2"])
    picture, other = (tmp_path / "images" / "train" / f"{name}.jpg" for name in ("1", "2"))
    shutil.copy(other, picture)
    with pytest.raises(MissingData, match=r"\(48, 65\) pixels, its boundaries \(65, 48\)"):
        bsds500.read(tmp_path, "train")
    picture.unlink()
    with pytest.raises(MissingData, match=r"1\.jpg cannot be read"):
        bsds500.read(tmp_path, "train")
    (tmp_path / "groundtruth_train.npz").write_bytes(b"PK")
    with pytest.raises(MissingData, match="cannot be read"):
        bsds500.read(tmp_path, "train")
