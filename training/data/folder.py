"""A user's own pictures: a folder of files for each class.

    FOLDER/train/CLASS/*.jpg and FOLDER/test/CLASS/*.jpg; or FOLDER/CLASS/*.jpg, of which a tenth is for the test

Without test/, val/ is the test. Files that are no pictures by their ending, and hidden ones, are not looked at.

Legend: N pictures.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from hondo import images
from hondo.errors import InvalidImage, MissingData
from training.data import own
from training.data.dataset import DataSet, PictureFiles
from training.data.folds import divide

LOOKED_FOR: Final = "your own pictures: train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg; PNG, WebP, ... as well"

# What recipes for pictures of any kind are made for.
NAME: Final = "folder"
WHERE: Final = "pictures of your own in FOLDER/train/CLASS and FOLDER/test/CLASS, or in FOLDER/CLASS"

_TRAIN: Final = "train"
_TESTS: Final = ("test", "val")


def recognises(folder: Path) -> bool:
    """Tells whether a folder has folders with pictures."""
    return any(next(_pictures(inner), None) is not None for inner in _folders(folder))


def read(folder: Path, *, skip_corrupt: bool = False) -> DataSet[PictureFiles]:
    """Finds the pictures of each class.

    Args:
        folder: the folder of class folders, or of train/ and test/ with those.
        skip_corrupt: leaves out the pictures that cannot be read, and says so; else `fit` refuses them.

    Raises:
        MissingData: a class folder has no picture, or the test has a class that the training has not.
    """
    parts = [_by_class(part) for part in _parts(folder)]
    found = _look([path for part in parts for paths in part.values() for path in paths], decode=skip_corrupt)
    faults = {path: seen.fault for path, seen in found.items() if seen.fault}
    classes = own.classes(folder, parts[0])
    train, *test = [_examples(part, classes, faults) for part in parts]
    sums = {path.relative_to(folder): seen.sha256 for path, seen in found.items() if not seen.fault}
    source = own.source(folder, {"SHA256SUMS": _listed(sums)})
    if not test:
        return divide(source, tuple(classes), train, _notes(found, faults))
    return DataSet(source, tuple(classes), train, test[0], notes=_notes(found, faults))


def _parts(folder: Path) -> list[Path]:
    """Gives the folders that hold the class folders: of all pictures, or of the training and the test."""
    train = folder / _TRAIN
    if not any(_folders(train)):
        return [folder]
    return [train, *[folder / name for name in _TESTS if (folder / name).is_dir()][:1]]


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (inner for inner in sorted(folder.iterdir()) if inner.is_dir() and not inner.name.startswith("."))


def _pictures(folder: Path) -> Iterator[Path]:
    files = (path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES)
    return (path for path in files if not path.name.startswith(".") and path.is_file())


def _by_class(part: Path) -> dict[str, list[Path]]:
    by_class = {folder.name: sorted(_pictures(folder)) for folder in _folders(part)}
    if empty := [str(part / name) for name, paths in by_class.items() if not paths]:
        raise MissingData(f"no picture ({', '.join(sorted(images.SUFFIXES))}) in {', '.join(empty)}")
    if not by_class:
        raise MissingData(f"{part} has no folder of pictures for each class")
    return by_class


def _examples(
    by_class: Mapping[str, Sequence[Path]], classes: Mapping[str, int], faults: Mapping[Path, str]
) -> PictureFiles:
    sound = {name: [path for path in paths if path not in faults] for name, paths in by_class.items()}
    for name, paths in sound.items():
        if name not in classes:
            raise MissingData(f"{by_class[name][0].parent}: there is no class {name!r} to train on")
        if not paths:
            raise MissingData(f"{by_class[name][0].parent}: none of the {len(by_class[name])} pictures can be read")
    labels_N = np.array([classes[name] for name, paths in sound.items() for _ in paths], np.int64)
    return PictureFiles(tuple(path for paths in sound.values() for path in paths), labels_N)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was found."""

    sha256: str
    # Why it cannot be read; empty where it can be, or nobody tried.
    fault: str = ""


def _look(paths: Sequence[Path], *, decode: bool) -> dict[Path, _Seen]:
    with ThreadPoolExecutor() as pool:
        return dict(zip(paths, pool.map(lambda path: _see(path, decode=decode), paths), strict=True))


def _see(path: Path, *, decode: bool) -> _Seen:
    try:
        content = path.read_bytes()
        if decode:
            images.decode(content)
    except (InvalidImage, OSError) as error:
        return _Seen("", str(error))
    return _Seen(hashlib.sha256(content).hexdigest())


def _listed(sums: Mapping[Path, str]) -> str:
    """Gives the hash of the list that `sha256sum` writes of all pictures, in the order of their names."""
    lines = (f"{sums[path]}  {path.as_posix()}\n" for path in sorted(sums))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _notes(found: Mapping[Path, _Seen], faults: Mapping[Path, str]) -> tuple[str, ...]:
    if not faults:
        return ()
    return (f"left out {len(faults):,} of {len(found):,} pictures, which cannot be read:", *map(_line, faults.items()))


def _line(fault: tuple[Path, str]) -> str:
    return f"  {fault[0]}: {fault[1]}"
