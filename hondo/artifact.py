"""The artifact: a folder NAME/VERSION of manifest, ONNX graphs and golden samples, read only where its hashes hold."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray

from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import File, Manifest

MANIFEST: Final = "manifest.json"
GOLDEN: Final = "golden.npz"
# The role of the graph where a model has only one.
MODEL: Final = "model"
# The roles of those that write or make captions: what reads a prompt, what sees a picture, what says the next token.
PREFILL: Final = "prefill"
ENCODE: Final = "encode"
STEP: Final = "step"

# Arrays by tensor name.
Tensors = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact on disk whose files are those that its manifest names."""

    folder: Path
    manifest: Manifest

    def graph_path(self, role: str) -> Path:
        """Gives the path of the graph with that role; KeyError where there is none."""
        paths = {graph.role: self.folder / graph.file.path for graph in self.manifest.graphs}
        return paths[role]

    def golden(self, role: str) -> tuple[Tensors, Tensors]:
        """Gives the graph's golden inputs and the outputs that PyTorch gave for them, by tensor name.

        Raises:
            InvalidArtifact: the file is no .npz of plain arrays.
        """
        path = self.folder / self.manifest.golden.path
        try:
            # numpy leaves open what it opened itself, where it cannot read it.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return _under(arrays, f"{role}/in/"), _under(arrays, f"{role}/out/")
        except Exception as error:  # zipfile and numpy raise anything on damaged files
            raise InvalidArtifact(f"{path} holds no golden samples: {error}") from error


def _under(arrays: "np.lib.npyio.NpzFile", prefix: str) -> Tensors:
    return {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}


def read(folder: Path) -> Artifact:
    """Reads and verifies the artifact in `folder` (…/NAME/VERSION).

    Raises:
        InvalidArtifact: the manifest cannot be read, disagrees with the folder's name, or a file is missing or altered.
    """
    try:
        manifest = json_format.Parse((folder / MANIFEST).read_text("utf-8"), Manifest())
    except (OSError, UnicodeDecodeError, json_format.ParseError) as error:
        raise InvalidArtifact(f"{folder / MANIFEST} cannot be read: {error}") from error
    _check_place(folder, manifest)
    if not manifest.graphs:
        raise InvalidArtifact(f"{folder / MANIFEST} names no graph")
    roles = [graph.role for graph in manifest.graphs]
    if len(set(roles)) != len(roles):
        raise InvalidArtifact(f"{folder / MANIFEST} gives one role to several graphs: {', '.join(map(repr, roles))}")
    shared = [manifest.weights] if manifest.HasField("weights") else []
    for file in (*(graph.file for graph in manifest.graphs), manifest.golden, *shared):
        _check_file(folder, file)
    return Artifact(folder, manifest)


def _check_place(folder: Path, manifest: Manifest) -> None:
    folder = folder.resolve()
    here, says = (folder.parent.name, folder.name), (manifest.name, str(manifest.version))
    if here != says:
        raise InvalidArtifact(f"{folder} holds {'/'.join(says)} by its manifest: name the folders NAME/VERSION alike")


def _check_file(folder: Path, file: File) -> None:
    if not file.path or Path(file.path).name != file.path or file.path == ".." or "\0" in file.path:
        raise InvalidArtifact(f"{folder / MANIFEST} names the file {file.path!r}: it must lie beside the manifest")
    try:
        found = sha256(folder / file.path)
    except OSError as error:
        raise InvalidArtifact(f"{folder / file.path} is named by the manifest, but: {error.strerror}") from error
    if found != file.sha256:
        raise InvalidArtifact(
            f"{folder / file.path} was altered: its sha256 is {found}, the manifest says {file.sha256}"
        )


def sha256(path: Path) -> str:
    """Gives the SHA-256 of a file's contents as 64 lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(path: Path) -> File:
    """Gives the manifest's entry for a file."""
    return File(path=path.name, sha256=sha256(path))


def to_json(manifest: Manifest) -> str:
    """Gives the manifest as canonical JSON."""
    return json_format.MessageToJson(manifest, ensure_ascii=False) + "\n"
