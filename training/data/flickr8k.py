"""Flickr8k: Hodosh, Young, Hockenmaier 2013, 8,000 photos of people and animals with five captions each.

Read from Flickr8k.token.txt and Flickr_8k.{train,dev,test}Images.txt, as published, beside the pictures: in the folder
Flicker8k_Dataset/ (so it is spelt) or Images/, or in images_{train,dev,test}.zip.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

from hondo import artifact, images
from hondo.errors import InvalidImage, MissingData
from protos.manifest_pb2 import DataSource
from training.data.captioned import Captioned, CaptionSet, PictureFile

NAME: Final = "flickr8k"
_TOKENS: Final = "Flickr8k.token.txt"
_SPLITS: Final = ("train", "dev", "test")
_FOLDERS: Final = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images")
LOOKED_FOR: Final = (
    f"Flickr8k: {_TOKENS}, Flickr_8k.trainImages.txt (dev, test), and {_FOLDERS[0]}/ or images_train.zip"
)
_ORIGIN: Final = "Flickr8k, Hodosh, Young, Hockenmaier, Framing image description as a ranking task, JAIR 47 (2013)"
# So many pictures of one square size are no chance: photos are wider than high, or higher than wide.
_LOOKED_AT: Final = 8
WHERE: Final = "https://hockenmaier.cs.illinois.edu/8k-pictures.html"


def recognises(folder: Path) -> bool:
    """Tells whether a folder looks like Flickr8k."""
    return (folder / _TOKENS).is_file()


def read(folder: Path) -> CaptionSet:
    """Reads the captions, and finds the pictures of each split.

    Raises:
        MissingData: a file is missing, or a picture has no caption or is not there.
    """
    captions = _captions(folder)
    train, validation, test = (_split(folder, split, captions) for split in _SPLITS)
    lists = [_TOKENS, *[f"Flickr_8k.{split}Images.txt" for split in _SPLITS]]
    source = DataSource(
        name=NAME,
        origin=f"{_ORIGIN}{_squashed(train)}",
        terms="non-commercial research and education; the pictures are their authors' on Flickr; cite the paper",
        sha256={name: artifact.sha256(folder / name) for name in lists},
    )
    return CaptionSet(source=source, train=train, validation=validation, test=test)


def _squashed(pictures: Captioned) -> str:
    """Says so where a copy's pictures are not as they were taken; a damaged one is told of when it is needed."""
    try:
        sizes = {images.decode(file.read()).size for file in pictures.files[:_LOOKED_AT]}
    except InvalidImage:
        return ""
    (width, height), *others = sizes
    return "" if others or width != height else f"; a copy whose pictures are squashed to {width} x {height} pixels"


def _captions(folder: Path) -> Mapping[str, list[str]]:
    """Gives the captions of each picture, in their order, from lines NAME.jpg#2<TAB>CAPTION."""
    captions: dict[str, list[str]] = defaultdict(list)
    path = folder / _TOKENS
    for number, line in enumerate(_lines(path), start=1):
        name, tab, caption = line.partition("\t")
        if not tab or "#" not in name:
            raise MissingData(f"{path}: line {number} is not NAME.jpg#NUMBER<TAB>CAPTION")
        captions[name.partition("#")[0]].append(caption)
    return captions


def _split(folder: Path, split: str, captions: Mapping[str, list[str]]) -> Captioned:
    path = folder / f"Flickr_8k.{split}Images.txt"
    names = sorted(name for line in _lines(path) if (name := line.strip()))
    if not names:
        raise MissingData(f"{path} names no picture")
    if bare := [name for name in names if name not in captions]:
        raise MissingData(f"{len(bare):,} pictures of {path} have no caption in {_TOKENS}: {', '.join(bare[:3])}")
    place = _pictures(folder, split)
    there = _listed(place)
    if lost := [name for name in names if name not in there]:
        raise MissingData(f"{len(lost):,} pictures of {path} are not in {place}: {', '.join(lost[:3])}")
    return Captioned(
        tuple(PictureFile(there[name], place) for name in names), tuple(tuple(captions[name]) for name in names)
    )


def _pictures(folder: Path, split: str) -> Path:
    places = [folder / f"images_{split}.zip", *[folder / name for name in _FOLDERS]]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise MissingData(f"{folder} has no pictures. Looked for {LOOKED_FOR}; to be had from {WHERE}")
    return found


def _listed(place: Path) -> Mapping[str, str]:
    """Gives the pictures of a folder or zip: their paths in it by their names."""
    if place.is_dir():
        return {path.name: path.name for path in place.iterdir()}
    try:
        with ZipFile(place) as packed:
            return {Path(name).name: name for name in packed.namelist()}
    except (OSError, BadZipFile) as error:
        raise MissingData(f"{place} cannot be read: {error}") from error


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingData(f"{path} cannot be read: {error}. Looked for {LOOKED_FOR}; to be had from {WHERE}") from error
