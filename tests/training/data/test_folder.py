"""Legend: N pictures, H height, W width, C channels."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hondo import images
from hondo.errors import MissingData
from training import inputs
from training.data import folder

SETTINGS = inputs.Image(height=6, width=5, channels=3, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def paint(path: Path, value: int = 0) -> Path:
    """Writes a small picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 7), (value, 20, 30)).save(path)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two classes in train/ and test/; file endings in any case, one picture deeper, and what is no picture."""
    for number, name in enumerate(("cat/a.png", "cat/b.JPG", "dog/deep/c.webp", "dog/d.jpeg")):
        paint(tmp_path / "train" / name, number * 60)
    paint(tmp_path / "test" / "dog" / "e.png")
    (tmp_path / "train" / "cat" / "readme.txt").write_text("no picture")
    (tmp_path / "train" / "cat" / "._a.png").write_bytes(b"what macOS leaves beside files")
    (tmp_path / "train" / ".thumbnails").mkdir()
    return tmp_path


def test_reads_train_and_test(place: Path) -> None:
    """The folders are the classes; hidden files and those that are no pictures are not looked at."""
    data = folder.read(place)
    assert data.labels == ("cat", "dog")
    assert [path.name for path in data.train.paths] == ["a.png", "b.JPG", "d.jpeg", "c.webp"]
    assert data.train.labels_N.tolist() == [0, 0, 1, 1]
    assert [path.name for path in data.test.paths] == ["e.png"]
    assert data.test.labels_N.tolist() == [1]
    assert (data.whole, data.notes) == (None, ())


def test_fits_as_serving_does(place: Path) -> None:
    """The pictures are read by the code that serves."""
    data = folder.read(place)
    task = data.task(SETTINGS)
    train, _ = data.fit(task)
    assert train.inputs.shape == (4, 6, 5, 3)
    for picture_HWC, path in zip(train.inputs, data.train.paths, strict=True):
        np.testing.assert_array_equal(picture_HWC, images.read(path.read_bytes(), task.image))


def test_takes_val_for_the_test(place: Path) -> None:
    """Where there is no test/, val/ is the test; where there is one, it is."""
    (place / "test").rename(place / "val")
    assert [path.name for path in folder.read(place).test.paths] == ["e.png"]
    paint(place / "test" / "cat" / "f.png")
    assert [path.name for path in folder.read(place).test.paths] == ["f.png"]


@pytest.mark.parametrize("under", ["", "train"])
def test_parts_what_nobody_parted(tmp_path: Path, under: str) -> None:
    """Without a test, a tenth of each class is for it, and all pictures are kept for other folds."""
    for label in ("9", "10"):
        for number in range(20):
            paint(tmp_path / under / label / f"{number}.png")
    data = folder.read(tmp_path)
    assert data.whole is not None
    assert data.labels == ("9", "10")
    assert np.bincount(data.test.labels_N).tolist() == [2, 2]
    assert (len(data.train), len(data.whole)) == (36, 40)
    assert {path.parent.name for path in data.test.paths if path in data.whole.paths} == {"9", "10"}


def test_a_class_may_be_named_train(tmp_path: Path) -> None:
    """A folder train/ with pictures of its own is a class like any other."""
    for label in ("bus", "train"):
        for name in ("a.png", "b.png"):
            paint(tmp_path / label / name)
    assert folder.read(tmp_path).labels == ("bus", "train")


def test_says_whose_pictures_they_are(place: Path) -> None:
    """The source is the folder, with the hash of the list that sha256sum writes of all pictures."""
    source = folder.read(place).source
    names = ["test/dog/e.png", "train/cat/a.png", "train/cat/b.JPG", "train/dog/d.jpeg", "train/dog/deep/c.webp"]
    lines = [f"{hashlib.sha256((place / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    assert (source.name, source.origin) == (place.name, str(place))
    assert dict(source.sha256) == {"SHA256SUMS": hashlib.sha256("".join(lines).encode()).hexdigest()}


def spoil(place: Path) -> list[Path]:
    """Damages three pictures: cut short, empty, and another kind of file by its contents."""
    cut, empty, page = (place / name for name in ("train/cat/b.JPG", "train/dog/d.jpeg", "test/dog/page.jpg"))
    cut.write_bytes(cut.read_bytes()[:-200])
    empty.write_bytes(b"")
    page.write_text("<html>not found</html>")
    return [cut, empty, page]


def test_names_every_picture_that_cannot_be_read(place: Path) -> None:
    """Corrupt pictures of both parts are refused before anything is trained, each by its name, with the way out."""
    spoilt = spoil(place)
    data = folder.read(place)
    with pytest.raises(MissingData) as caught:
        data.fit(data.task(SETTINGS))
    text = str(caught.value)
    assert "2 of 4 pictures cannot be read (--skip-corrupt leaves them out):" in text
    assert "1 of 2 pictures cannot be read" in text
    assert all(f"\n{path}: the image is" in text for path in spoilt)


def test_leaves_out_what_cannot_be_read_when_told(place: Path) -> None:
    """Told so, corrupt pictures are left out and named; neither the examples nor the hash know of them."""
    spoilt = spoil(place)
    data = folder.read(place, skip_corrupt=True)
    assert [path.name for path in data.train.paths] == ["a.png", "c.webp"]
    assert data.train.labels_N.tolist() == [0, 1]
    assert data.notes[0] == "left out 3 of 6 pictures, which cannot be read:"
    assert sorted(note.split(":")[0].strip() for note in data.notes[1:]) == sorted(str(path) for path in spoilt)
    data.fit(data.task(SETTINGS))
    for path in spoilt:
        path.unlink()
    assert folder.read(place).source.sha256 == data.source.sha256


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda place: (place / "train" / "eel").mkdir(), r"no picture \(\.bmp, .*\) in .*train/eel"),
        (lambda place: (place / "test" / "dog" / "e.png").unlink(), r"no picture \(.*\) in .*test/dog"),
        (lambda place: paint(place / "test" / "eel" / "a.png"), r"test/eel: there is no class 'eel' to train on"),
        (lambda place: (place / "test" / "dog").rename(place / "dog"), "test has no folder of pictures for each class"),
        (lambda place: (place / "train" / "dog").rename(place / "dog"), "has cat alone: at least two classes"),
    ],
    ids=["empty class", "empty test class", "unknown class", "flat test", "one class"],
)
def test_names_what_is_wrong(place: Path, damage: Callable[[Path], object], complaint: str) -> None:
    """An empty class, one that is tested but not trained, and a part without classes are refused by name."""
    damage(place)
    with pytest.raises(MissingData, match=complaint):
        folder.read(place)


def test_refuses_a_class_without_a_sound_picture(place: Path) -> None:
    """A class of which nothing can be read is refused, even when corrupt pictures are left out."""
    for path in (place / "train" / "cat").glob("*.*"):
        path.write_bytes(b"damaged")
    with pytest.raises(MissingData, match=r"cat: none of the 2 pictures can be read"):
        folder.read(place, skip_corrupt=True)


@pytest.mark.parametrize("part", ["", "train"])
def test_recognises_folders_of_pictures(tmp_path: Path, part: str) -> None:
    """Class folders are recognised, at once or below train/; pictures beside each other have no class."""
    paint(tmp_path / "flat.png")
    assert not folder.recognises(tmp_path)
    assert not folder.recognises(tmp_path / "flat.png")
    assert not folder.recognises(tmp_path / "absent")
    paint(tmp_path / part / "cat" / "a.png")
    assert folder.recognises(tmp_path)
