from pathlib import Path

import pytest

from export.imports import labels
from hondo.errors import InvalidRequest


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.txt"
    path.write_text(text, "utf-8")
    return path


def test_imagenets_classes_have_names_of_their_own() -> None:
    """A thousand names, none twice, in the order of the WordNet ids: what stands where is known from elsewhere."""
    names = labels.imagenet()
    assert len(names) == len(set(names)) == 1000
    known = {0: "tench", 1: "goldfish", 65: "sea snake", 207: "Golden Retriever", 281: "tabby cat", 340: "zebra"}
    known |= {504: "coffee mug", 817: "sports car", 950: "orange", 999: "toilet paper"}
    assert {place: names[place] for place in known} == known


def test_imagenets_ids_ascend() -> None:
    """The file has its lines in the order in which every ImageNet model gives its classes."""
    text = (Path(labels.__file__).parent / "imagenet.txt").read_text("utf-8")
    ids = [line.split()[0] for line in text.splitlines() if not line.startswith("#")]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000


def test_a_file_names_a_class_a_line(tmp_path: Path) -> None:
    """Lines are names as they are, but for the space around them and a byte-order mark."""
    assert labels.choose(write(tmp_path, "\ufeffcat\n big dog \r\nÄsche\n"), 3) == ("cat", "big dog", "Äsche")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cat\n\ndog\n", "line 2 is empty"),
        ("cat\ndog\ncat\n", "lines 1 and 3 are both 'cat'"),
        ("cat\ndog\n", "has 2 names, but the model has 3 classes"),
    ],
)
def test_a_file_that_names_classes_badly_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    """An empty line, a name twice and another number of names are told with their lines and numbers."""
    with pytest.raises(InvalidRequest, match=fault):
        labels.choose(write(tmp_path, text), 3)


def test_imagenets_names_are_for_its_thousand_classes(tmp_path: Path) -> None:
    """Without a file, another number of classes has no names."""
    assert labels.choose(None, 1000) == labels.imagenet()
    with pytest.raises(InvalidRequest, match="has 10 classes: name them in a file"):
        labels.choose(None, 10)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    """A picture in the place of the file of labels is told as one."""
    (tmp_path / "labels.txt").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    with pytest.raises(InvalidRequest, match=r"labels\.txt cannot be read"):
        labels.read(tmp_path / "labels.txt")
