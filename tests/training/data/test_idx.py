"""Legend: N pictures, H height, W width, C channels."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hondo.errors import MissingData
from tests.training.conftest import pack, write_idx
from training.data import idx
from training.data.fashion_mnist import FASHION_MNIST
from training.data.mnist import MNIST
from training.data.publication import Publication

IMAGES_NHW = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4)
LABELS_N = np.array([0, 3, 2, 1, 2], np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four good files: 5 pictures of 3x4 to train on, 2 to test on."""
    write_idx(
        tmp_path,
        {
            idx.TRAIN_IMAGES: IMAGES_NHW,
            idx.TRAIN_LABELS: LABELS_N,
            idx.TEST_IMAGES: IMAGES_NHW[:2],
            idx.TEST_LABELS: LABELS_N[:2],
        },
    )
    return tmp_path


def test_reads_pictures_and_labels(folder: Path) -> None:
    """The four files become u8[N,H,W,1] and i64[N]; a set that nobody published is named idx, its labels numbers."""
    data = idx.read(folder, [MNIST])
    np.testing.assert_array_equal(data.train.images_NHWC, IMAGES_NHW[..., np.newaxis])
    np.testing.assert_array_equal(data.train.labels_N, LABELS_N)
    assert data.train.labels_N.dtype == np.int64
    assert len(data.test) == 2
    assert data.name == "idx"
    assert data.labels == ("0", "1", "2", "3")
    assert set(data.source.sha256) == set(idx.FILES)


def test_reads_unpacked_files(folder: Path) -> None:
    """Files without .gz read the same, and have the same hashes."""
    packed = idx.read(folder, [])
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    plain = idx.read(folder, [])
    np.testing.assert_array_equal(plain.train.images_NHWC, packed.train.images_NHWC)
    assert plain.source.sha256 == packed.source.sha256


def test_knows_published_files_by_their_hashes(folder: Path) -> None:
    """A set whose four hashes are those of a published one has its name, origin, terms and labels."""
    letters = Publication(
        name="letters",
        origin="here",
        terms="none",
        where="nowhere",
        labels=("a", "b", "c", "d"),
        sha256=dict(idx.read(folder, []).source.sha256),
    )
    data = idx.read(folder, [MNIST, letters])
    assert (data.name, data.source.origin, data.source.terms) == ("letters", "here", "none")
    assert data.labels == letters.labels


@pytest.mark.parametrize("name", idx.FILES)
def test_names_the_missing_file(folder: Path, name: str) -> None:
    """A missing file is named, with all that belong there and where published ones are to be had."""
    (folder / f"{name}.gz").unlink()
    with pytest.raises(MissingData) as caught:
        idx.read(folder, [MNIST, FASHION_MNIST])
    text = str(caught.value)
    assert text.startswith(f"{folder / name}.gz is missing")
    assert all(file in text for file in idx.FILES)
    assert MNIST.where in text
    assert FASHION_MNIST.where in text


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda content: gzip.compress(content)[:-20], "cannot be read"),
        (lambda content: b"no gzip at all", "cannot be read"),
        (lambda content: gzip.compress(content[:-1]), "has 75 bytes unpacked, but its header says 76"),
        (lambda content: gzip.compress(content + b"x"), r"has 77 bytes unpacked, but its header says 76"),
        (lambda content: gzip.compress(content[:7]), "cut short"),
        (lambda content: gzip.compress(pack(LABELS_N)), "it starts with 00000801, not 00000803"),
        (lambda content: gzip.compress(pack(IMAGES_NHW[:4])), "has 4 pictures, train-labels-idx1-ubyte 5 labels"),
    ],
    ids=["cut gzip", "no gzip", "too short", "too long", "cut header", "labels", "too few pictures"],
)
def test_refuses_damaged_files(folder: Path, damage: Callable[[bytes], bytes], complaint: str) -> None:
    """A file that is cut short, too long, of another kind or at odds with another is refused by name."""
    (folder / f"{idx.TRAIN_IMAGES}.gz").write_bytes(damage(pack(IMAGES_NHW)))
    with pytest.raises(MissingData, match=complaint) as caught:
        idx.read(folder, [])
    assert idx.TRAIN_IMAGES in str(caught.value)


def test_refuses_an_empty_set(folder: Path) -> None:
    """A set without pictures is refused."""
    write_idx(folder, {idx.TEST_IMAGES: IMAGES_NHW[:0], idx.TEST_LABELS: LABELS_N[:0]})
    with pytest.raises(MissingData, match="holds no picture"):
        idx.read(folder, [])
