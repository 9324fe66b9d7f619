from pathlib import Path

import pytest

from hondo.errors import MissingData
from training.data import own

PLACE = Path("here")


def test_numbers_are_in_their_order() -> None:
    """Labels that are numbers are classes in the order of the numbers, others in that of the alphabet."""
    assert list(own.classes(PLACE, ["10", "9", "0", "9"])) == ["0", "9", "10"]
    assert own.classes(PLACE, ["dog", "cat", "10"]) == {"10": 0, "cat": 1, "dog": 2}


@pytest.mark.parametrize(("labels", "has"), [(["a", "a"], "a"), ([], "no label")])
def test_needs_two_classes(labels: list[str], has: str) -> None:
    """There is nothing to tell apart in one class."""
    with pytest.raises(MissingData, match=f"here has {has} alone: at least two classes are needed"):
        own.classes(PLACE, labels)


def test_names_a_place_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is named by its whole name, a file without its ending, "." by where that is."""
    folder = tmp_path / "my.flowers"
    folder.mkdir()
    file = folder / "marks.csv"
    file.write_text("")
    monkeypatch.chdir(folder)
    assert own.source(Path(), {}).name == "my.flowers"
    assert own.source(file, {}).name == "marks"
