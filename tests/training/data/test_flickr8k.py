"""Flickr8k as it is published."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image

from hondo.errors import MissingData
from training.data import flickr8k

NAMES = {"train": ("b.jpg", "a.jpg"), "dev": ("c.jpg",), "test": ("d.jpg",)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in its form, without the pictures."""
    every = [name for names in NAMES.values() for name in names]
    lines = [f"{name}#{number}\tA {name[0]} , {number} ." for name in every for number in range(2)]
    (tmp_path / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    for split, names in NAMES.items():
        (tmp_path / f"Flickr_8k.{split}Images.txt").write_text("\n".join(names) + "\n")
    return tmp_path


def in_folder(folder: Path) -> None:
    """Puts the pictures into a folder."""
    (folder / "Flicker8k_Dataset").mkdir()
    for names in NAMES.values():
        for name in names:
            (folder / "Flicker8k_Dataset" / name).write_bytes(name.encode())


def in_zips(folder: Path) -> None:
    """Puts the pictures into zips."""
    for split, names in NAMES.items():
        with ZipFile(folder / f"images_{split}.zip", "w") as packed:
            for name in names:
                packed.writestr(f"images/{name}", name.encode())


@pytest.mark.parametrize("put", [in_folder, in_zips])
def test_reads_captions_and_pictures(folder: Path, put: Callable[[Path], None]) -> None:
    """Each picture of a split has its captions in their order and its file, from a folder or a zip."""
    put(folder)
    found = flickr8k.read(folder)
    assert [file.read() for file in found.train.files] == [b"a.jpg", b"b.jpg"]
    assert found.train.captions == (("A a , 0 .", "A a , 1 ."), ("A b , 0 .", "A b , 1 ."))
    assert [file.read() for file in (*found.validation.files, *found.test.files)] == [b"c.jpg", b"d.jpg"]
    assert found.source.name == "flickr8k"


def test_says_where_the_pictures_are_to_be_had(folder: Path) -> None:
    """Without pictures the error says what was looked for, and where it is."""
    with pytest.raises(MissingData, match=r"(?s)has no pictures.*images_train\.zip.*https://"):
        flickr8k.read(folder)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("Flickr8k.token.txt", "a.jpg A dog .\n", "line 1 is not NAME"),
        ("Flickr_8k.trainImages.txt", "z.jpg\n", r"1 pictures of .* have no caption .*: z\.jpg"),
        ("Flickr_8k.trainImages.txt", "c.jpg\n", r"1 pictures of .* are not in .*images_train\.zip: c\.jpg"),
        ("Flickr_8k.testImages.txt", "", "names no picture"),
    ],
)
def test_names_what_does_not_fit(folder: Path, name: str, text: str, fault: str) -> None:
    """A file that is damaged, or disagrees with another, is named with its fault."""
    in_zips(folder)
    (folder / name).write_text(text)
    with pytest.raises(MissingData, match=fault):
        flickr8k.read(folder)


def test_tells_of_squashed_pictures(folder: Path) -> None:
    """A copy whose pictures are all squares of one size is not as the photos were taken, and its origin says so."""
    in_folder(folder)
    assert "squashed" not in flickr8k.read(folder).source.origin
    for size, told in (((24, 24), True), ((24, 20), False)):
        for path in (folder / "Flicker8k_Dataset").iterdir():
            Image.new("RGB", size).save(path)
        assert ("squashed to 24 x 24 pixels" in flickr8k.read(folder).source.origin) == told


def test_reads_the_published_set(data_dir: Path) -> None:
    """The published set has 6,000, 1,000 and 1,000 pictures with five captions each."""
    found = flickr8k.read(data_dir / "flickr8k")
    assert [len(part) for part in (found.train, found.validation, found.test)] == [6000, 1000, 1000]
    assert {len(captions) for captions in found.test.captions} == {5}
    assert found.test.files[0].read()[:2] == b"\xff\xd8"
