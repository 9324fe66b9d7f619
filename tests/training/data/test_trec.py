import shutil
from collections import Counter
from pathlib import Path

import pytest

from hondo.errors import MissingData
from training.data import trec

RAW = ("DESC:manner How did serfdom develop ?\nENTY:cremat What films are there ?\n", "NUM:dist How far is Aspen ?\n")
CODED = ("0 How did serfdom develop ?\n1 What films are there ?\n", "5 How far is Aspen ?\n")


@pytest.mark.parametrize(
    ("names", "contents"),
    [
        (("train_5500.label", "TREC_10.label"), RAW),
        (("TREC.train", "TREC.test"), RAW),
        (("TREC.train.all", "TREC.test.all"), CODED),
    ],
)
def test_reads_each_form_alike(tmp_path: Path, names: tuple[str, str], contents: tuple[str, str]) -> None:
    """The published form and the coded one give the same questions and coarse classes."""
    for name, content in zip(names, contents, strict=True):
        (tmp_path / name).write_text(content)
    data = trec.read(tmp_path)
    assert data.train.texts == ("How did serfdom develop ?", "What films are there ?")
    read = [data.labels[int(label)] for label in (*data.train.labels_N, *data.test.labels_N)]
    assert read == ["description", "entity", "number"]
    assert data.whole is None


def test_altered_files_do_not_bear_the_name(tmp_path: Path) -> None:
    """Files of other bytes than the published ones are read, but their source does not say that they are TREC's."""
    for name, content in zip(("TREC.train", "TREC.test"), RAW, strict=True):
        (tmp_path / name).write_text(content)
    source = trec.read(tmp_path).source
    assert source.name == "trec-like"
    assert str(tmp_path) in source.origin
    assert source.terms == "unknown"
    assert set(source.sha256) == {"TREC.train", "TREC.test"}


def test_names_the_missing_file(tmp_path: Path) -> None:
    """A missing file is named, with where it is to be had."""
    (tmp_path / "train_5500.label").write_text(RAW[0])
    with pytest.raises(MissingData, match=r"TREC_10\.label missing\. Expected there: train_5500.*had from https://"):
        trec.read(tmp_path)


def test_refuses_another_label(tmp_path: Path) -> None:
    """A label that TREC does not have is refused by its line."""
    (tmp_path / "TREC.train").write_text(RAW[0] + "WHEN:date When ?\n")
    (tmp_path / "TREC.test").write_text(RAW[1])
    with pytest.raises(MissingData, match=r"TREC\.train, line 3: the label 'WHEN' is none of DESC, ENTY"):
        trec.read(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize("form", [("TREC.train", "TREC.test"), ("TREC.train.all", "TREC.test.all")])
def test_knows_the_published_files(data_dir: Path, tmp_path: Path, form: tuple[str, str]) -> None:
    """Both forms of the real set are told by their hashes, and have its counts."""
    for name in form:
        shutil.copyfile(data_dir / "text" / "trec" / name, tmp_path / name)
    data = trec.read(tmp_path)
    assert data.name == "trec"
    assert data.notes == ()
    assert Counter(data.labels[label] for label in data.train.labels_N) == {
        "entity": 1250,
        "person": 1223,
        "description": 1162,
        "number": 896,
        "location": 835,
        "abbreviation": 86,
    }
    assert Counter(data.labels[label] for label in data.test.labels_N) == {
        "description": 138,
        "number": 113,
        "entity": 94,
        "location": 81,
        "person": 65,
        "abbreviation": 9,
    }
