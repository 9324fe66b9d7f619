"""What a command line asks about: pictures, texts and rows, each with what tells it from the others."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from hondo import table
from hondo.errors import InvalidRequest
from hondo.images import SUFFIXES

_STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One picture, text or row."""

    # How errors name it.
    place: str
    # How a person sees it, on one line.
    shown: str
    # How a program sees it, as fields of a JSON object.
    facts: dict[str, object]
    # The picture's path, the text or the row's numbers; or why it cannot be asked.
    item: Path | str | list[float] | InvalidRequest


def pictures(paths: Iterable[Path]) -> Iterator[Asked]:
    """Goes through picture files, and through the pictures of folders.

    Raises:
        click.UsageError: there is no such file, or no picture in a folder.
    """
    for path in paths:
        for file in _files(path):
            yield Asked(place=str(file), shown=str(file), facts={"file": str(file)}, item=file)


def texts(given: Sequence[str]) -> Iterator[Asked]:
    """Goes through texts."""
    for number, text in enumerate(given, 1):
        yield Asked(place=f"--text {number}", shown=_on_one_line(text), facts={"text": text}, item=text)


def lines(path: str) -> Iterator[Asked]:
    """Goes through the lines of a file, a text each.

    Raises:
        InvalidRequest: the file is not UTF-8.
    """
    with _opened(path) as (name, file):
        for number, line in enumerate(file, 1):
            text = line.removesuffix("\n")
            facts: dict[str, object] = {"line": number, "text": text}
            yield Asked(place=f"{name}:{number}", shown=_on_one_line(text), facts=facts, item=text)


def rows(given: Sequence[str]) -> Iterator[Asked]:
    """Goes through rows whose numbers have commas between them."""
    for row in given:
        try:
            item: list[float] | InvalidRequest = [float(cell) for cell in row.split(",")]
        except ValueError as error:
            item = InvalidRequest(f"numbers with commas between them expected ({error})")
        yield Asked(place=f"--row {row}", shown=row, facts={"row": item}, item=item)


def records(path: str, columns: Sequence[str]) -> Iterator[Asked]:
    """Goes through the rows of a CSV file.

    Raises:
        InvalidRequest: its first line does not name just these columns, or it is not UTF-8.
    """
    with _opened(path) as (name, file):
        try:
            for number, row in table.read(file, columns):
                shown = "" if isinstance(row, InvalidRequest) else ",".join(f"{value:g}" for value in row)
                yield Asked(place=f"{name}:{number}", shown=shown, facts={"line": number, "row": row}, item=row)
        except InvalidRequest as error:
            raise InvalidRequest(f"{name}: {error}") from error


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if not found:
            raise click.UsageError(f"there is no picture in the folder {path}")
        return found
    if not path.is_file():
        raise click.UsageError(f"there is no file {path}")
    return [path]


@contextmanager
def _opened(path: str) -> Iterator[tuple[str, IO[str]]]:
    name = "standard input" if path == _STANDARD_INPUT else path
    with click.open_file(path, encoding="utf-8-sig") as file:
        try:
            yield name, file
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{name} is not UTF-8: {error.reason}") from error


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
