"""Golden samples: files of arrays that came with a model."""

import tempfile
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from hondo.artifact import GOLDEN, Artifact
from protos.manifest_pb2 import File, Manifest
from tests.serving import artifacts

_FOLDER: Final = Path(tempfile.mkdtemp(prefix="hondo-fuzz-"))


def seeds() -> list[bytes]:
    """Gives the samples of a classifier."""
    arrays: dict[str, NDArray[Any]] = {
        "model/in/image": artifacts.samples()[:1],
        "model/out/probabilities": artifacts.weights()[:1],
    }
    artifacts.write_golden(_FOLDER, arrays)
    return [(_FOLDER / GOLDEN).read_bytes()]


def one(data: bytes) -> None:
    """Reads one."""
    (_FOLDER / GOLDEN).write_bytes(data)
    Artifact(_FOLDER, Manifest(golden=File(path=GOLDEN))).golden("model")
