"""A table: the rows of a CSV file as numbers in the order of a model's columns."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from hondo.errors import InvalidRequest


def read(lines: Iterable[str], columns: Sequence[str]) -> Iterator[tuple[int, list[float] | InvalidRequest]]:
    """Reads the rows of a CSV file, whose first line names the columns, in any order.

    Args:
        lines: the file's.
        columns: those to give, in this order.

    Returns:
        For each row the number of its line, from 1, and a number for each of the columns, or why it has none.

    Raises:
        InvalidRequest: the first line does not name just these columns, or this is no CSV file.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        places = _places(header, columns)
        for cells in reader:
            yield reader.line_num, _numbers(cells, header, places)
    except csv.Error as error:
        raise InvalidRequest(f"line {reader.line_num} is not CSV: {error}") from error


def _places(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Gives where in a line each of the columns is."""
    expected = f"the first line must name the columns {', '.join(columns)}, in any order"
    unknown = [name for name in header if name not in columns]
    missing = [name for name in columns if name not in header]
    if unknown:
        raise InvalidRequest(f"the model has no column {', '.join(map(repr, unknown))}: {expected}")
    if missing:
        raise InvalidRequest(f"the column {', '.join(map(repr, missing))} is missing: {expected}")
    if len(header) != len(columns):
        raise InvalidRequest(f"a column is named twice: {expected}")
    return [header.index(name) for name in columns]


def _numbers(cells: Sequence[str], header: Sequence[str], places: Sequence[int]) -> list[float] | InvalidRequest:
    if not cells:
        return InvalidRequest("the line is empty")
    if len(cells) != len(header):
        return InvalidRequest(f"values: {len(cells)} came, {len(header)} expected: {', '.join(header)}")
    numbers = []
    for place in places:
        try:
            numbers.append(float(cells[place]))
        except ValueError:
            return InvalidRequest(f"{header[place]!r} is {cells[place]!r}, a number expected")
    return numbers
