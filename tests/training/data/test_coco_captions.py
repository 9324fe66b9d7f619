"""Captions in COCO's form."""

import json
from pathlib import Path

import pytest

from hondo.errors import MissingData
from training.data import coco_captions


def write(path: Path, captions: dict[str, list[str]]) -> None:
    """Writes captions of pictures, by their files' names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [{"id": number, "file_name": name} for number, name in enumerate(captions, start=7)]
    texts = [
        {"image_id": picture["id"], "caption": text}
        for picture in pictures
        for text in captions[str(picture["file_name"])]
    ]
    path.write_text(json.dumps({"images": pictures, "annotations": texts}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty-one pictures to train on, of which one is validated with, and one to test with."""
    train = {f"{number:02}.jpg": [f"Picture {number}.", "A picture."] for number in range(21)}
    write(tmp_path / "annotations" / "captions_train2017.json", train)
    write(tmp_path / "annotations" / "captions_val2017.json", {"99.jpg": ["Another."], "none.jpg": []})
    for place, names in (("train2017", train), ("val2017", ["99.jpg"])):
        (tmp_path / place).mkdir()
        for name in names:
            (tmp_path / place / name).write_bytes(name.encode())
    return tmp_path


def test_reads_captions_and_pictures(folder: Path) -> None:
    """Each picture has its captions and its file; those without a caption are left out."""
    assert coco_captions.recognises(folder)
    found = coco_captions.read(folder)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [20, 1, 1]
    assert found.validation.captions == (("Picture 0.", "A picture."),)
    assert found.train.files[0].read() == b"01.jpg"
    assert found.test.files[0].read() == b"99.jpg"


def test_names_pictures_that_are_not_there(folder: Path) -> None:
    """A picture that is nowhere is named."""
    (folder / "train2017" / "07.jpg").unlink()
    with pytest.raises(MissingData, match=r"1 pictures are nowhere below .*, such as 07\.jpg"):
        coco_captions.read(folder)


def test_refuses_another_form(folder: Path) -> None:
    """JSON without COCO's fields is refused with what was missed."""
    (folder / "annotations" / "captions_val2017.json").write_text("{}")
    with pytest.raises(MissingData, match=r"captions_val2017\.json is not in the form of COCO's captions: KeyError"):
        coco_captions.read(folder)


def test_needs_both_parts(folder: Path) -> None:
    """Where the test's captions are missing, the error says what was looked for."""
    (folder / "annotations" / "captions_val2017.json").unlink()
    with pytest.raises(MissingData, match=r"one captions_\*val\*\.json expected, found none"):
        coco_captions.read(folder)
