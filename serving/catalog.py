"""The catalog: every version of every model in a folder, loaded, checked and found by name."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hondo import artifact
from hondo.artifact import Artifact
from hondo.errors import InvalidArtifact, ModelNotFound
from serving.device import Device
from serving.session import Session

_log = logging.getLogger(__name__)

# The role of the only graph where there is no manifest to name it.
MODEL = "model"


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a model, ready to run."""

    name: str
    version: int
    sessions: Mapping[str, Session]
    # None for a bare ONNX file.
    artifact: Artifact | None

    @property
    def task(self) -> str:
        """The name of the manifest's task; empty for a bare ONNX file."""
        return (self.artifact.manifest.WhichOneof("task") or "") if self.artifact else ""


class Catalog:
    """The models of one folder, by name and version."""

    def __init__(self, models: list[Model]) -> None:
        self._versions: dict[str, dict[int, Model]] = defaultdict(dict)
        for model in sorted(models, key=lambda model: (model.name, -model.version)):
            self._versions[model.name][model.version] = model

    @classmethod
    def load(cls, folder: Path, device: Device, cores: int | None = None) -> "Catalog":
        """Loads every NAME/VERSION below `folder`.

        Args:
            folder: where the models are.
            device: CPU or CUDA, as `device.choose` gives it.
            cores: how many to compute with; all that the process may use, unless given.

        Raises:
            InvalidArtifact: there is none, or one of them does not load; the text names all that do not.
        """
        places = list(_places(folder))
        if not places:
            raise InvalidArtifact(f"no model in {folder}: expected {folder}/NAME/VERSION/model.onnx{_hint(folder)}")
        models: list[Model] = []
        broken: list[str] = []
        for place in places:
            try:
                models.append(_load(place, device, cores))
            except InvalidArtifact as error:
                broken.append(str(error))
        if broken:
            raise InvalidArtifact("\n".join(broken))
        return cls(models)

    def __iter__(self) -> Iterator[Model]:
        """Goes through all models, sorted by name, newest version first."""
        for versions in self._versions.values():
            yield from versions.values()

    def versions(self, name: str) -> list[int]:
        """Gives the versions of a model, newest first; none where there is no such model."""
        return list(self._versions.get(name, ()))

    def find(self, name: str, version: int = 0) -> Model:
        """Gives a model; version 0 is the newest.

        Raises:
            ModelNotFound: there is none of that name, or no such version of it.
        """
        versions = self._versions.get(name)
        if versions is None:
            raise ModelNotFound(f"there is no model {name!r}; this server has {', '.join(self._versions)}")
        if version == 0:
            return next(iter(versions.values()))
        if version not in versions:
            has = ", ".join(map(str, versions))
            raise ModelNotFound(f"model {name!r} has no version {version}; this server has {has}")
        return versions[version]


def _places(folder: Path) -> Iterator[Path]:
    """Goes through the folders NAME/VERSION; names that begin with a dot are somebody's work in progress."""
    for model in sorted(_folders(folder)):
        yield from (version for version in _folders(model) if _is_version(version.name))


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


def _load(place: Path, device: Device, cores: int | None) -> Model:
    name, version = place.parent.name, int(place.name)
    if (place / artifact.MANIFEST).exists():
        read = artifact.read(place)
        roles = [graph.role for graph in read.manifest.graphs]
        sessions = {role: Session.open(read.graph_path(role), device, cores) for role in roles}
        for role, session in sessions.items():
            _check_golden(read, role, session)
        return Model(name, version, sessions, read)
    return Model(name, version, {MODEL: Session.open(_bare_graph(place), device, cores)}, None)


def _bare_graph(place: Path) -> Path:
    graphs = sorted(place.glob("*.onnx"))
    if len(graphs) == 1:
        return graphs[0]
    if place / "model.onnx" in graphs:
        return place / "model.onnx"
    raise InvalidArtifact(f"{place} holds {len(graphs)} .onnx files: name the one to serve model.onnx")


def _check_golden(read: Artifact, role: str, session: Session) -> None:
    """Runs the golden samples: proves that this machine computes what the artifact promises, and warms the session."""
    inputs, promised = read.golden(role)
    computed = session.run(inputs, list(promised))
    for name, expected in promised.items():
        # Room for other instruction sets and for TF32; the export gate proved the file itself to 1e-5.
        if not np.allclose(computed[name], expected, rtol=1e-3, atol=1e-3):
            worst = np.abs(computed[name].astype(np.float64) - expected.astype(np.float64)).max()
            raise InvalidArtifact(
                f"{read.folder}: here {role}'s output {name!r} differs from the golden samples by {worst:.2g}"
            )
