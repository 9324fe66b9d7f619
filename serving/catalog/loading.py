"""Loading: a version's files become a model, once they are proved whole and compute here what they promise."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo import artifact
from hondo.artifact import ENCODE, MODEL, STEP, Artifact, Tensors
from hondo.errors import HondoError, InvalidArtifact, InvalidRequest
from serving.catalog import confines
from serving.catalog.model import Model
from serving.catalog.place import Place
from serving.contract import captioner, classifier, detector, writer
from serving.decode import plan as decode_plan
from serving.decode.graphs import Graphs
from serving.decode.plan import Plan as DecodePlan
from serving.runtime import attempt, footprint, plan, sample, states
from serving.runtime.attempt import Attempt
from serving.runtime.device import Device
from serving.runtime.plan import Plan, Wishes
from serving.runtime.session import Session
from serving.settings import ModelSettings

_log = logging.getLogger(__name__)

# Room for other instruction sets and for TF32; the export gate proved the file itself to 1e-5.
_TOLERANCE: Final = 1e-3
# Where numbers are rounded to 8 or 16 bits, the least difference before can become a step.
_LOWERED_TOLERANCE: Final = 3e-2


def begin(
    place: Place, device: Device, settings: ModelSettings, cores: int | None, *, is_behind: bool
) -> Attempt[Model]:
    """Begins to load a version; the attempt fails with InvalidArtifact where it is broken.

    Args:
        place: where it lies.
        device: as `device.choose` gives it.
        settings: the model's.
        cores: how many to compute with; all that the process may use, unless given.
        is_behind: requests are being answered meanwhile, and go first.
    """

    def load() -> Model:
        try:
            return _load(place, device, settings, settings.wishes(cores))
        except HondoError:
            raise
        except Exception as error:
            limits = attempt.current.get()
            if limits is None or not limits.is_over:
                _log.exception("loading %s failed", place.path)
            raise InvalidArtifact(f"{place.path} does not load: {error}") from error

    return Attempt(load, is_behind=is_behind)


def _load(place: Place, device: Device, settings: ModelSettings, wishes: Wishes) -> Model:
    if not wishes.trusted:
        confines.check_links(place.path)
    read = artifact.read(place.path) if (place.path / artifact.MANIFEST).exists() else None
    if not wishes.trusted:
        confines.check_graphs(place.path)
    if read is not None:
        if read.manifest.WhichOneof("task") == "text_generation":
            return Model(place, settings, {}, read, decode_plan=_writer_plan(read, device, wishes))
        if read.manifest.WhichOneof("task") == "captioning":
            return _captioner(place, settings, read, device, wishes)
        plans = {graph.role: _plan(read, graph.role, device, wishes) for graph in read.manifest.graphs}
        _check_task(read, {role: planned.session for role, planned in plans.items()})
        is_detector = read.manifest.HasField("edge_detection")
        pixel_bytes = footprint.bytes_per_pixel(read.graph_path(MODEL)) if is_detector else 0
        return Model(place, settings, plans, read, pixel_bytes=pixel_bytes)
    session = Session.open(bare_graph(place.path), device.each[0], wishes.run_threads, wishes.acceleration)
    states.declared(session)  # fails where the graph cannot have it
    planned = plan.make(session, device, sample.made_up(session.inputs), wishes, proved=False)
    return Model(place, settings, {MODEL: planned}, None)


def _sessions(read: Artifact, device: Device, wishes: Wishes) -> dict[str, Session]:
    """Opens an artifact's graphs, and holds that they are what its task takes."""
    roles = [graph.role for graph in read.manifest.graphs]
    sessions = {role: _opened(read, role, device, wishes) for role in roles}
    _check_task(read, sessions)
    return sessions


def _captioner(place: Place, settings: ModelSettings, read: Artifact, device: Device, wishes: Wishes) -> Model:
    sessions = _sessions(read, device, wishes)
    encode, golden = (
        _planned(read, ENCODE, sessions[ENCODE], device, wishes),
        _checked_golden(read, STEP, sessions[STEP]),
    )
    planned = decode_plan.make(Graphs.of_captioner(sessions), device, {STEP: golden}, wishes)
    _check_others(read, planned)
    return Model(place, settings, {ENCODE: encode}, read, decode_plan=planned)


def _writer_plan(read: Artifact, device: Device, wishes: Wishes) -> DecodePlan:
    sessions = _sessions(read, device, wishes)
    golden = {role: _checked_golden(read, role, session) for role, session in sessions.items()}
    planned = decode_plan.make(Graphs.of(sessions), device, golden, wishes)
    _check_others(read, planned)
    return planned


def _opened(read: Artifact, role: str, device: Device, wishes: Wishes) -> Session:
    """Opens a graph on the first device."""
    return Session.open(read.graph_path(role), device.each[0], wishes.run_threads, wishes.acceleration)


def _plan(read: Artifact, role: str, device: Device, wishes: Wishes) -> Plan:
    return _planned(read, role, _opened(read, role, device, wishes), device, wishes)


def _planned(read: Artifact, role: str, session: Session, device: Device, wishes: Wishes) -> Plan:
    inputs = _checked_golden(read, role, session)
    planned = plan.make(session, device, sample.from_golden(inputs), wishes, proved=True)
    for other in planned.sessions[1:]:
        _checked_golden(read, role, other)
    return planned


def _check_others(read: Artifact, planned: DecodePlan) -> None:
    """Makes sure that each further device computes what the artifact promises."""
    for graphs in planned.others:
        for role, session in graphs.by_role.items():
            _checked_golden(read, role, session)


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
            case "captioning":
                captioner.check(read.manifest.captioning, sessions)
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


def took_too_long(place: Place, limit_s: float) -> str:
    """Gives why a version is refused that was given up."""
    return f"{place.path} did not load within {limit_s:g} s (the server's --load-timeout-seconds)"
