"""A place: the folder NAME/VERSION of one version of a model, as it was when it was looked at."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hondo.errors import InvalidArtifact


@dataclass(frozen=True, slots=True)
class Place:
    """Where a version lies, and what tells its files from others that were there before or come after."""

    path: Path
    name: str
    version: int
    # Of each file: its name, its number on the disk, its size, and when it was last written.
    files: tuple[tuple[str, int, int, int], ...] = ()


def look(folder: Path) -> list[Place]:
    """Gives the places below a folder; names that begin with a dot are somebody's work in progress.

    Raises:
        OSError: the folder cannot be read.
    """
    return [place for model in sorted(_folders(folder)) for place in _versions(model)]


def look_at(path: Path) -> Place | None:
    """Gives one place; None where it is gone."""
    try:
        stats = [(file.name, file.stat()) for file in sorted(path.iterdir())]
    except FileNotFoundError:
        return None
    files = tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
    return Place(path, path.parent.name, int(path.name), files)


def check_any(folder: Path, places: list[Place]) -> None:
    """Holds that there is anything to serve.

    Raises:
        InvalidArtifact: there is not; the text says how the folder should look.
    """
    if not places:
        raise InvalidArtifact(f"no model in {folder}: expected {folder}/NAME/VERSION/model.onnx{_hint(folder)}")


def _versions(model: Path) -> Iterator[Place]:
    for path in _folders(model):
        if _is_version(path.name) and (place := look_at(path)) is not None:
            yield place


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdecimal() and str(int(name)) == name and 0 < int(name) < 2**32


def _hint(folder: Path) -> str:
    if not folder.is_dir():
        return " (there is no such folder)"
    if any(_is_version(path.name) for path in _folders(folder)):
        return f"; to serve this one model, name its parent: {folder.parent}"
    return ""
