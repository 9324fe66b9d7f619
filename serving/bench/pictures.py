"""Pictures for a classifier or an edge detector of Hondo: the requests that carry the files as they are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from hondo import images
from hondo.artifact import Tensors
from hondo.client import Client
from hondo.errors import InvalidRequest, WrongTask
from protos.hondo_pb2 import ClassifyRequest, DetectEdgesRequest, Model
from protos.manifest_pb2 import EdgeDetection, ImageInput
from protos.rpc import HONDO
from serving.bench.questions import Pictures, Questions

CLASSIFY: Final = f"/{HONDO.full_name}/Classify"
DETECT_EDGES: Final = f"/{HONDO.full_name}/DetectEdges"
# More files than that do not make a bench truer, but its memory larger.
_MAX_FILES: Final = 64
# Whole pictures of more numbers gain nothing from sharing a run on a CPU, and trying out how many takes minutes.
_SHARED_NUMBERS: Final = 3 * 256**2


def questions(server: str, model: str, place: Path, *, rows: int = 1) -> Questions:
    """Makes requests of so many pictures each, from a file or the files of a folder.

    Raises:
        InvalidRequest: there is no picture.
        InvalidImage: a file is no picture that Hondo reads.
        WrongTask: the model takes no pictures.
    """
    with Client(server) as client:
        described = client.get_model(model)
    method, spec = _asked(described)
    data = [path.read_bytes() for path in files(place)]
    groups = group(data if method == CLASSIFY else _of_one_size(data), rows)
    pictures = Pictures(tuple(data for group in groups for data in group), spec)
    name = described.graphs[0].inputs[0].name
    feeds: tuple[Tensors, ...] = tuple({name: np.stack([pictures.read(data) for data in group])} for group in groups)
    kind = ClassifyRequest if method == CLASSIFY else DetectEdgesRequest
    return Questions(
        method=method,
        bodies=tuple(kind(model=model, images=group).SerializeToString() for group in groups),
        rows=rows,
        feeds=feeds,
        batches=method == CLASSIFY or feeds[0][name].size <= _SHARED_NUMBERS * rows,
        pictures=pictures,
    )


def _asked(described: Model) -> tuple[str, ImageInput | EdgeDetection]:
    """Gives the method that a model's pictures go to, and how it takes them."""
    manifest = described.manifest
    if manifest.classification.HasField("image"):
        return CLASSIFY, manifest.classification.image
    if manifest.HasField("edge_detection"):
        return DETECT_EDGES, manifest.edge_detection
    raise WrongTask(
        f"model {described.name!r} is no classifier of pictures and no edge detector: bench it with --input tensor"
    )


def _of_one_size(files: Sequence[bytes]) -> list[bytes]:
    """Gives those pictures that are of the commonest size: raw ONNX Runtime, too, shall put several into a run."""
    sizes = [images.decode(data).size for data in files]
    ((commonest, _),) = Counter(sizes).most_common(1)
    return [data for data, size in zip(files, sizes, strict=True) if size == commonest]


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
