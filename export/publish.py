"""From a temporary folder to models/NAME/VERSION in one step: nobody ever sees half an artifact."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hondo.errors import InvalidRequest

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def place(models: Path, name: str, version: int | None) -> Path:
    """Gives the folder to publish in, NAME/VERSION below `models`: the next free version where none is asked for.

    Raises:
        InvalidRequest: the name would not do as a folder's.
        FileExistsError: the version that was asked for is there already.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"a model cannot be named {name!r}: take letters, digits, '.', '_' and '-', the first no sign"
        )
    folder = models / name / str(version or _next_version(models / name))
    if folder.exists():
        raise FileExistsError(f"{folder} is there already, and what is published never changes: take another version")
    return folder


def _next_version(model: Path) -> int:
    taken = [int(path.name) for path in model.glob("*") if path.name.isdecimal()]
    return max(taken, default=0) + 1


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Gives a temporary folder to build in, and moves it to `target` once the block is through.

    It lies in the folder of models, under a name that the server passes over, and its own last two names are those of
    `target`. Whatever the block raises, nothing is published and nothing is left.

    Raises:
        FileExistsError: somebody else published `target` meanwhile.
    """
    name, version = target.parts[-2:]
    models = target.parent.parent
    models.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{name}-{version}-", dir=models) as temporary:
        # The temporary folder is for its owner alone; those inside get the usual mode, and keep it when they move.
        folder = Path(temporary) / name / version
        folder.mkdir(parents=True)
        yield folder
        _move(folder, target)


def _move(folder: Path, target: Path) -> None:
    for path in (*folder.iterdir(), folder):
        _sync(path)
    target.parent.mkdir(exist_ok=True)
    try:
        # Fails on a folder that holds anything.
        folder.rename(target)
    except OSError as error:
        if target.exists():
            raise FileExistsError(f"somebody else published {target} meanwhile: export again") from error
        raise
    _sync(target.parent)
    _sync(target.parent.parent)


def _sync(path: Path) -> None:
    """Has the disk keep a file or a folder's list of names, so that a power cut after the move loses nothing."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
