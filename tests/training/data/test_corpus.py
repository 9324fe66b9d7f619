"""Legend: T characters."""

import sysconfig
from pathlib import Path

import pytest

from hondo import characters
from hondo.errors import MissingData
from training.data import corpus


def write(folder: Path, content: bytes) -> str:
    path = folder / "text.txt"
    path.write_bytes(content)
    return str(path)


def test_keeps_the_end_for_validation(tmp_path: Path) -> None:
    """The last share of the characters validates, the rest is trained on, and nothing is lost between them."""
    text = "".join(chr(97 + number * 7 % 26) for number in range(105))
    read = corpus.read(write(tmp_path, text.encode()), 0.1)
    assert (len(read.train_T), len(read.validation_T)) == (94, 11)
    decoded = characters.decode([*read.train_T, *read.validation_T], read.task.vocabulary)
    assert decoded == text
    assert read.source.name == "text"
    assert list(read.source.sha256) == ["text.txt"]


def test_counts_characters_not_bytes(tmp_path: Path) -> None:
    """Any script is read, a mark of byte order is none of the text, and all line ends are one character."""
    read = corpus.read(write(tmp_path, "\ufeff日本語\r\nи 安德烈\r".encode()), 0.5)
    assert list(read.task.vocabulary) == sorted(set("日本語\nи 安德烈"))
    assert len(read.train_T) + len(read.validation_T) == len("日本語\nи 安德烈\n")
    assert read.task.vocabulary[read.task.start] == "\n"


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"caf\xe9 au lait", r"is no UTF-8 text: .* at byte 3$"), (b"aaaa", "has 1 different char"), (b"", "has 0 diff")],
)
def test_refuses_what_is_no_text(tmp_path: Path, content: bytes, fault: str) -> None:
    """A file in another encoding, or without two different characters, is refused."""
    with pytest.raises(MissingData, match=fault):
        corpus.read(write(tmp_path, content), 0.1)


def test_says_what_it_takes(tmp_path: Path) -> None:
    """A place that is no file is refused with what would do."""
    with pytest.raises(MissingData, match=r"is no file: --data takes a UTF-8 text file, or python$"):
        corpus.read(str(tmp_path), 0.1)


@pytest.mark.parametrize("place", [None, "python"])
def test_every_machine_has_pythons_source(place: str | None) -> None:
    """Without a file the standard library's source is read, and named with its files."""
    read = corpus.read(place, 0.1)
    assert read.source.name == "python"
    source = Path(sysconfig.get_path("stdlib"), "this.py").read_text("utf-8")
    text = characters.decode([*read.train_T, *read.validation_T], read.task.vocabulary)
    assert source in text
    assert "this.py" in read.source.sha256


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "name", "count", "known"),
    [("tinyshakespeare.txt", "tinyshakespeare", 1_115_394, 65), ("war_and_peace.txt", "war-and-peace", 3_196_211, 82)],
)
def test_knows_published_texts(data_dir: Path, file: str, name: str, count: int, known: int) -> None:
    """Karpathy's two texts are read whole and called by their names."""
    read = corpus.read(str(data_dir / "text" / file), 0.1)
    assert read.source.name == name
    assert read.source.terms == "public domain"
    assert len(read.train_T) + len(read.validation_T) == count
    assert len(read.task.vocabulary) == known
