"""The catalog: every version of every model in a folder, loaded, checked and found by name."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo import artifact
from hondo.artifact import MODEL, Artifact, Tensors
from hondo.errors import InvalidArtifact, InvalidRequest, ModelNotFound
from serving import classifier, course, detector, footprint, plan, sample, states, writer
from serving.batcher import Batcher, Queueing
from serving.decode import plan as decode_plan
from serving.decode.graphs import PREFILL, STEP, Graphs
from serving.decode.loop import Loop
from serving.decode.plan import Plan as DecodePlan
from serving.device import Device
from serving.metrics import Metrics
from serving.plan import Plan, Wishes
from serving.session import Session
from serving.tensors import Reader

# Room for other instruction sets and for TF32; the export gate proved the file itself to 1e-5.
_TOLERANCE: Final = 1e-3
# Where numbers are rounded to 8 or 16 bits, the least difference before can become a step.
_LOWERED_TOLERANCE: Final = 3e-2


class Model:
    """One version of a model: loaded when made, taking calls from `open` to `close`."""

    def __init__(
        self,
        name: str,
        version: int,
        plans: Mapping[str, Plan],
        read: Artifact | None,
        *,
        decode_plan: DecodePlan | None = None,
        pixel_bytes: int = 0,
    ) -> None:
        self.name = name
        self.version = version
        # Memory that a run takes for each pixel; 0 where the model detects no edges.
        self.pixel_bytes = pixel_bytes
        # None for a bare ONNX file.
        self.artifact = read
        self.sessions = {role: plan.session for role, plan in plans.items()}
        if decode_plan is not None:
            self.sessions = {PREFILL: decode_plan.graphs.prefill, STEP: decode_plan.graphs.step}
        self._readers = {role: Reader(plan.session.inputs) for role, plan in plans.items()}
        self._plans = plans
        self._decode_plan = decode_plan
        self._batchers: dict[str, Batcher] = {}
        self._loop: Loop | None = None

    @property
    def task(self) -> str:
        """The name of the manifest's task; empty for a bare ONNX file."""
        return (self.artifact.manifest.WhichOneof("task") or "") if self.artifact else ""

    def open(self, queueing: Queueing, metrics: Metrics) -> None:
        """Starts to take calls on the running event loop."""
        self._batchers = {
            role: Batcher(plan, queueing, metrics.tally(self.name, self.version, role))
            for role, plan in self._plans.items()
        }
        if self._decode_plan is not None:
            self._loop = Loop(self._decode_plan, queueing, metrics.decode_tally(self.name, self.version))

    @property
    def loop(self) -> Loop:
        """Gives what reads and writes tokens, where the task is to write."""
        assert self._loop is not None, "the model writes, and is open"
        return self._loop

    def reader(self, role: str) -> Reader:
        """Gives what reads requests for the graph with that role."""
        return self._readers[role]

    def plan(self, role: str) -> Plan:
        """Gives how the graph with that role is run."""
        return self._plans[role]

    def batcher(self, role: str) -> Batcher:
        """Gives what runs the graph with that role."""
        return self._batchers[role]

    def close(self) -> None:
        """Ends when all that waits for a single run has run."""
        for batcher in self._batchers.values():
            batcher.close()
        if self._loop is not None:
            self._loop.close()


class Catalog:
    """The models of one folder, by name and version."""

    def __init__(self, models: list[Model]) -> None:
        self._versions: dict[str, dict[int, Model]] = defaultdict(dict)
        for model in sorted(models, key=lambda model: (model.name, -model.version)):
            self._versions[model.name][model.version] = model

    @classmethod
    def load(cls, folder: Path, device: Device, wishes: Wishes = Wishes()) -> "Catalog":
        """Loads every NAME/VERSION below `folder`.

        Args:
            folder: where the models are.
            device: CPU or CUDA, as `device.choose` gives it.
            wishes: what the user settled of how to run them.

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
                models.append(_load(place, device, wishes))
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
        """Gives a model, and notes it as what the request is about; version 0 is the newest.

        Raises:
            ModelNotFound: there is none of that name, or no such version of it.
        """
        versions = self._versions.get(name)
        if versions is None:
            raise ModelNotFound(f"there is no model {name!r}; this server has {', '.join(self._versions)}")
        model = versions.get(version) if version else next(iter(versions.values()))
        if model is None:
            has = ", ".join(map(str, versions))
            raise ModelNotFound(f"model {name!r} has no version {version}; this server has {has}")
        course.found(model.name, model.version)
        return model


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


def _load(place: Path, device: Device, wishes: Wishes) -> Model:
    name, version = place.parent.name, int(place.name)
    if (place / artifact.MANIFEST).exists():
        read = artifact.read(place)
        if read.manifest.WhichOneof("task") == "text_generation":
            return Model(name, version, {}, read, decode_plan=_decode_plan(read, device, wishes))
        plans = {graph.role: _plan(read, graph.role, device, wishes) for graph in read.manifest.graphs}
        _check_task(read, {role: planned.session for role, planned in plans.items()})
        is_detector = read.manifest.HasField("edge_detection")
        pixel_bytes = footprint.bytes_per_pixel(read.graph_path(MODEL)) if is_detector else 0
        return Model(name, version, plans, read, pixel_bytes=pixel_bytes)
    session = Session.open(bare_graph(place), device, wishes.run_threads)
    states.declared(session)  # fails where the graph cannot have it
    planned = plan.make(session, device, sample.made_up(session.inputs), wishes, proved=False)
    return Model(name, version, {MODEL: planned}, None)


def _decode_plan(read: Artifact, device: Device, wishes: Wishes) -> DecodePlan:
    roles = [graph.role for graph in read.manifest.graphs]
    sessions = {role: Session.open(read.graph_path(role), device, wishes.run_threads) for role in roles}
    _check_task(read, sessions)
    golden = {role: _checked_golden(read, role, session) for role, session in sessions.items()}
    return decode_plan.make(Graphs.of(sessions), device, golden, wishes)


def _plan(read: Artifact, role: str, device: Device, wishes: Wishes) -> Plan:
    session = Session.open(read.graph_path(role), device, wishes.run_threads)
    inputs = _checked_golden(read, role, session)
    return plan.make(session, device, sample.from_golden(inputs), wishes, proved=True)


def bare_graph(place: Path) -> Path:
    """Gives the graph to serve of a folder NAME/VERSION without a manifest.

    Raises:
        InvalidArtifact: it holds several, none of them model.onnx, or none at all.
    """
    graphs = sorted(place.glob("*.onnx"))
    if len(graphs) == 1:
        return graphs[0]
    if place / "model.onnx" in graphs:
        return place / "model.onnx"
    raise InvalidArtifact(f"{place} holds {len(graphs)} .onnx files: name the one to serve model.onnx")


def _check_task(read: Artifact, sessions: Mapping[str, Session]) -> None:
    try:
        match read.manifest.WhichOneof("task"):
            case "classification":
                classifier.check(read.manifest.classification, sessions)
            case "text_generation":
                writer.check(read.manifest.text_generation, sessions)
            case "edge_detection":
                detector.check(read.manifest.edge_detection, sessions)
            case _:  # what it has no typed RPC for
                pass
    except InvalidArtifact as error:
        raise InvalidArtifact(f"{read.folder}: {error}") from error


def _checked_golden(read: Artifact, role: str, session: Session) -> Tensors:
    """Gives the golden inputs, once this machine has computed from them what the artifact promises."""
    inputs, promised = read.golden(role)
    for side, arrays, signatures in (("in", inputs, session.inputs), ("out", promised, session.outputs)):
        names = [signature.name for signature in signatures]
        if sorted(arrays) != sorted(names):
            has = ", ".join(map(repr, arrays)) or "nothing"
            raise InvalidArtifact(f"{read.folder}: the golden samples have {has} for {role}/{side}/{names}")
    try:
        computed = session.run(inputs)
    except InvalidRequest as error:
        raise InvalidArtifact(f"{read.folder}: {role} does not run on the golden samples: {error}") from error
    tolerance = _LOWERED_TOLERANCE if read.manifest.HasField("precision") else _TOLERANCE
    for name, expected in promised.items():
        _check_agree(f"{read.folder}: {role}'s output {name!r}", computed[name], expected, tolerance)
    return inputs


def _check_agree(output: str, computed: NDArray[np.generic], expected: NDArray[np.generic], tolerance: float) -> None:
    if computed.shape != expected.shape:
        raise InvalidArtifact(f"{output} has shape {computed.shape} here, {expected.shape} in the golden samples")
    if not np.allclose(computed, expected, rtol=tolerance, atol=tolerance):
        worst = np.abs(computed.astype(np.float64) - expected.astype(np.float64)).max()
        raise InvalidArtifact(f"{output} differs here from the golden samples by {worst:.2g}")
