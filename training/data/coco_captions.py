"""Captions in COCO's form: Chen et al., "Microsoft COCO captions", 2015; one's own too.

    FOLDER/captions_train2017.json   or in annotations/; any captions_*train*.json and captions_*val*.json
    FOLDER/train2017/*.jpg           or FOLDER/images/, or wherever below FOLDER a picture's file_name is found

What is called validation there is the test here; of the pictures to train on, some are kept for validation.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hondo import artifact
from hondo.errors import MissingData
from training.data import own
from training.data.captioned import Captioned, CaptionSet, PictureFile

LOOKED_FOR: Final = (
    "captions as COCO has them: captions_*train*.json and captions_*val*.json (or in annotations/), and the pictures "
    "in folders beside them"
)
# Share of the pictures to train on that is kept for validation, and the most of them.
_VALIDATION: Final = 0.05
_MOST_VALIDATION: Final = 1000


def recognises(folder: Path) -> bool:
    """Tells whether a folder has captions in this form."""
    return bool(_files(folder, "train"))


def read(folder: Path) -> CaptionSet:
    """Reads the captions, and finds the pictures.

    Raises:
        MissingData: a file is missing or not in this form, or a picture has no caption or is not there.
    """
    paths = [_only(folder, part) for part in ("train", "val")]
    train, test = (_captioned(folder, path) for path in paths)
    kept = min(_MOST_VALIDATION, max(1, round(len(train) * _VALIDATION)))
    if len(train) <= kept:
        raise MissingData(f"{paths[0]} has {len(train)} pictures with captions: too few to train on")
    source = own.source(folder, {path.name: artifact.sha256(path) for path in paths})
    rest = Captioned(train.files[kept:], train.captions[kept:])
    return CaptionSet(source=source, train=rest, validation=train.first(kept), test=test)


def _files(folder: Path, part: str) -> list[Path]:
    return sorted([*folder.glob(f"captions_*{part}*.json"), *folder.glob(f"annotations/captions_*{part}*.json")])


def _only(folder: Path, part: str) -> Path:
    found = _files(folder, part)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise MissingData(f"{folder}: one captions_*{part}*.json expected, found {names}. Looked for {LOOKED_FOR}")
    return found[0]


def _captioned(folder: Path, path: Path) -> Captioned:
    names, captions = _parsed(path)
    numbers = sorted(number for number in names if captions.get(number))
    if not numbers:
        raise MissingData(f"{path} has no picture with a caption")
    places = _places(folder, {names[number] for number in numbers})
    return Captioned(
        tuple(PictureFile(names[number], places[names[number]]) for number in numbers),
        tuple(tuple(captions[number]) for number in numbers),
    )


def _parsed(path: Path) -> tuple[dict[int, str], Mapping[int, list[str]]]:
    """Gives the file names and the captions by the pictures' numbers."""
    try:
        plain: Any = json.loads(path.read_text("utf-8"))
        names = {int(image["id"]): str(image["file_name"]) for image in plain["images"]}
        captions: dict[int, list[str]] = defaultdict(list)
        for each in plain["annotations"]:
            captions[int(each["image_id"])].append(str(each["caption"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingData(f"{path} is not in the form of COCO's captions: {error!r}") from error
    return names, captions


def _places(folder: Path, names: set[str]) -> dict[str, Path]:
    """Gives the folder that each picture is in."""
    folders = [folder, *[inner for inner in sorted(folder.rglob("*")) if inner.is_dir()]]
    places: dict[str, Path] = {}
    for inner in folders:
        places.update({name: inner for name in names - places.keys() if (inner / name).is_file()})
    if lost := sorted(names - places.keys()):
        raise MissingData(f"{len(lost):,} pictures are nowhere below {folder}, such as {', '.join(lost[:3])}")
    return places
