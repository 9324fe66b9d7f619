"""Pictures for a classifier of Hondo: the Classify requests that carry the files as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from hondo import images
from hondo.client import Client
from hondo.errors import InvalidRequest, WrongTask
from protos.hondo_pb2 import ClassifyRequest
from protos.rpc import HONDO
from serving.bench.questions import Pictures, Questions

METHOD: Final = f"/{HONDO.full_name}/Classify"
# More files than that do not make a bench truer, but its memory larger.
_MAX_FILES: Final = 64


def questions(server: str, model: str, place: Path, *, rows: int = 1) -> Questions:
    """Makes requests of so many pictures each, from a file or the files of a folder.

    Raises:
        InvalidRequest: there is no picture.
        InvalidImage: a file is no picture that Hondo reads.
        WrongTask: the model is no classifier of pictures.
    """
    with Client(server) as client:
        described = client.get_model(model)
    if described.manifest.WhichOneof("task") != "classification":
        raise WrongTask(f"model {model!r} is no classifier of pictures: bench it with --input tensor")
    spec = described.manifest.classification.image
    groups = group([path.read_bytes() for path in files(place)], rows)
    name = described.graphs[0].inputs[0].name
    return Questions(
        method=METHOD,
        bodies=tuple(ClassifyRequest(model=model, images=group).SerializeToString() for group in groups),
        rows=rows,
        feeds=tuple({name: np.stack([images.read(data, spec) for data in group])} for group in groups),
        batches=True,
        pictures=Pictures(tuple(data for group in groups for data in group), spec),
    )


def files(place: Path) -> list[Path]:
    """Gives the picture files in a folder, sorted, or the file itself; the first 64.

    Raises:
        InvalidRequest: there is none.
    """
    if place.is_file():
        return [place]
    found = sorted(path for path in place.glob("*") if path.suffix.lower() in images.SUFFIXES)
    if not found:
        raise InvalidRequest(f"--images: there is no picture in {place}")
    return found[:_MAX_FILES]


def group(pictures: Sequence[bytes], rows: int) -> list[list[bytes]]:
    """Puts pictures into groups of so many, each picture in at least one, the first again where the last run out."""
    count = -(-len(pictures) // rows)
    return [[pictures[(start * rows + row) % len(pictures)] for row in range(rows)] for start in range(count)]
