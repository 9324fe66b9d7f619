"""CSV files as rows of a model's columns."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hondo import table
from hondo.errors import InvalidRequest

COLUMNS = ("a", "b")


def read(text: str) -> list[tuple[int, list[float] | str]]:
    """Gives each row's line and numbers, or its error's text."""
    rows = table.read(io.StringIO(text), COLUMNS)
    return [(line, str(row) if isinstance(row, InvalidRequest) else row) for line, row in rows]


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "b,a\n2,1\n", "b , a\n 2 , 1 \n", '"a","b"\n"1","2"', "a,b\r\n1.0,2e0\r\n"]
)
def test_columns_may_be_in_any_order(text: str) -> None:
    """Numbers come in the model's order, whatever the file's; quotes, spaces and line ends do not matter."""
    assert read(text) == [(2, [1.0, 2.0])]


def test_no_row_is_no_row() -> None:
    """A header alone is a table without rows."""
    assert read("a,b\n") == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "the line is empty"),
        ("1", "values: 1 came, 2 expected: a, b"),
        ("1,2,3", "values: 3 came, 2 expected: a, b"),
        ("1,", "'b' is '', a number expected"),
        ("one,2", "'a' is 'one', a number expected"),
        ("1;2,3", "'a' is '1;2', a number expected"),
    ],
)
def test_a_bad_line_is_told_and_passed(line: str, why: str) -> None:
    """A line that is no row says why; those around it are read."""
    assert read(f"a,b\n1,2\n{line}\n3,4\n") == [(2, [1.0, 2.0]), (3, why), (4, [3.0, 4.0])]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the column 'a', 'b' is missing"),
        ("a\n1\n", "the column 'b' is missing"),
        ("a,b,c\n1,2,3\n", "the model has no column 'c'"),
        ("a,b,A\n", "the model has no column 'A'"),
        ("a,b,b\n1,2,3\n", "a column is named twice"),
        ("1,2\n3,4\n", "the model has no column '1', '2'"),
        ('a,b\n1,"2', "line 2 is not CSV: unexpected end of data"),
        ('a,b\n1,"2" 3\n', "line 2 is not CSV"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(text: str, why: str) -> None:
    """Columns that are missing, unknown or there twice, or what is no CSV, end the reading; the text says what."""
    with pytest.raises(InvalidRequest, match=why):
        read(text)


@given(
    rows=st.lists(st.lists(st.floats(allow_nan=False), min_size=3, max_size=3)),
    columns=st.permutations(["x", "y", "z"]),
)
def test_what_was_written_is_read(rows: list[list[float]], columns: list[str]) -> None:
    """A table that Python wrote comes back number by number, whatever the order of its columns."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows(rows)
    file.seek(0)
    expected = [[row[columns.index(name)] for name in ("x", "y", "z")] for row in rows]
    assert [row for _, row in table.read(file, ("x", "y", "z"))] == expected
