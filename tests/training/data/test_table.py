"""Legend: N rows, F columns of numbers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hondo.errors import MissingData
from training.data import table

TRAIN = "age,label,hours\n20,no,1.5\n30,yes,-2e3\n\n25, no ,0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Train and test, as a spreadsheet on Windows writes them."""
    (tmp_path / "train.csv").write_bytes(b"\xef\xbb\xbf" + TRAIN.replace("\n", "\r\n").encode())
    (tmp_path / "test.csv").write_text('age,label,hours\n"21",yes,3\n')
    return tmp_path


def test_reads_train_and_test(folder: Path) -> None:
    """The column named label says the class, wherever it stands; the others are numbers in their order."""
    data = table.read(folder)
    assert data.labels == ("no", "yes")
    assert data.train.columns == ("age", "hours")
    np.testing.assert_array_equal(data.train.values_NF, np.array([[20, 1.5], [30, -2000], [25, 0]], np.float32))
    assert data.train.values_NF.dtype == np.float32
    assert data.train.labels_N.tolist() == [0, 1, 0]
    assert data.test.values_NF.tolist() == [[21, 3]]
    assert data.whole is None
    assert set(data.source.sha256) == {"train.csv", "test.csv"}


@pytest.mark.parametrize("parting", [",", ";", "\t"])
def test_last_column_is_the_label_unless_one_is_named_so(tmp_path: Path, parting: str) -> None:
    """Without a column of that name the last one says the class; cells may be parted by semicolons or tabs, too."""
    path = tmp_path / "marks.csv"
    lines = ["x,y,mark", *(f"{n},{n}.5,{n % 2 + 9}" for n in range(20))]
    path.write_text("\n".join(lines).replace(",", parting))
    data = table.read(path)
    assert data.whole is not None
    assert data.name == "marks"
    assert data.labels == ("9", "10")
    assert data.whole.columns == ("x", "y")
    assert (len(data.train), len(data.test), len(data.whole)) == (18, 2, 20)


@given(
    st.lists(
        st.tuples(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from("ab")),
        min_size=4,
        max_size=20,
    ).filter(lambda rows: all(sum(label == each for _, label in rows) >= 2 for each in "ab"))
)
def test_numbers_survive(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, str]]) -> None:
    """Every finite float32 comes back as it was written, beside its own label."""
    path = tmp_path_factory.mktemp("table") / "some.csv"
    path.write_text("x,label\n" + "".join(f"{value!r},{label}\n" for value, label in rows))
    whole = table.read(path).whole
    assert whole is not None
    read = [(value, "ab"[label]) for value, label in zip(whole.values_NF[:, 0], whole.labels_N, strict=True)]
    assert read == rows


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("x,label\n1,a\n,b\n", r"line 3: x is empty, not a number"),
        ("x,y,label\n1,2,a\n\nnan,1e39,b\n", r"line 4: x is nan, y is 1e39, not a number"),
        ("x,label\n1,a\n2,\n", "line 3: no label"),
        ("x,label\n1,a\n1,2,b\n", "line 3: 3 cells, but 2 columns"),
        ("x,label\n", "has no rows"),
        ("", "has no rows"),
        ("label\na\nb\n", "has one column"),
        ("1,2,3\n4,5,6\n", "begins with numbers: its first line has to name the columns"),
        ("x,x,label\n1,2,a\n", "each column needs a name of its own, not 'x', 'x', 'label'"),
        ("x,,label\n1,2,a\n", "each column needs a name of its own"),
        ('x,label\n1,"a\n', "cannot be read as CSV in UTF-8"),
        ("x,label\n1,a\n2,a\n", "has a alone: at least two classes"),
        ("x,label\n1,a\n2,a\n3,b\n", "no two examples of b;"),
    ],
)
def test_names_what_is_wrong(tmp_path: Path, content: str, complaint: str) -> None:
    """A file that cannot be trained on is refused, by the line where one is at fault."""
    (tmp_path / "train.csv").write_text(content)
    with pytest.raises(MissingData, match=complaint) as caught:
        table.read(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_names_the_first_faults_and_their_number(tmp_path: Path) -> None:
    """Of many lines at fault ten are named, the others counted."""
    (tmp_path / "train.csv").write_text("x,label\n" + "?,a\n" * 13)
    with pytest.raises(MissingData, match=r"(?s)line 2: .*line 11: [^\n]*\n\.\.\. and 3 more lines$"):
        table.read(tmp_path)


def test_refuses_another_encoding(tmp_path: Path) -> None:
    """A file in another encoding is refused."""
    (tmp_path / "train.csv").write_bytes("größe,label\n1,a\n".encode("latin-1"))
    with pytest.raises(MissingData, match=r"cannot be read as CSV in UTF-8: .*0xf6"):
        table.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("hours,age,label\n1,2,no\n", "test.csv has the columns hours, age, not age, hours"),
        ("age,hours,label\n1,2,maybe\n", "test.csv: there is no maybe to train on"),
    ],
)
def test_refuses_another_test(folder: Path, content: str, complaint: str) -> None:
    """A test of other columns or classes than the training's is refused."""
    (folder / "test.csv").write_text(content)
    with pytest.raises(MissingData, match=complaint):
        table.read(folder)


def test_misses_the_training_part(folder: Path) -> None:
    """A test file alone is not enough."""
    (folder / "train.csv").unlink()
    with pytest.raises(MissingData, match=r"train\.csv is missing\. Expected: your own table"):
        table.read(folder)
