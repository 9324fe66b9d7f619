"""The artifact's files, made from a candidate and proved, in a folder that nobody serves yet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnx.helper
from numpy.typing import NDArray

from export import card, gate, signature
from export.candidate import Candidate, Reference
from export.gate import Standard
from export.manifest import describe, facts
from export.precision import lower
from export.precision.choice import Lowering
from hondo import artifact
from hondo.artifact import MODEL, Tensors
from protos.manifest_pb2 import File, Graph, Manifest
from serving.runtime.session import Session

_GOLDEN_SAMPLES: Final = 8

Say = Callable[[str], None]


def build(candidate: Candidate, folder: Path, say: Say, lowering: Lowering | None = None) -> None:
    """Writes and proves the artifact of a candidate.

    Args:
        candidate: what is to be published.
        folder: exists and is empty; its last two names are the model's name and version.
        say: is told the outcome of each step, a line at a time.
        lowering: the smaller numbers to compute with; 32-bit floats unless given.

    Raises:
        ParityError: the file does not say what the reference says.
        AccuracyError: with smaller numbers it answers more wrongly than it may.
        InvalidArtifact: the file does not load.
    """
    manifest = describe(candidate, name=folder.parent.name, version=int(folder.name))
    path = folder / f"{MODEL}.onnx"
    candidate.write(path, facts(manifest))
    session, reference = Session.open(path), candidate.reference
    say(f"graph    {about(path)}")
    gate.check_signature(session, manifest.classification)
    parity = _prove(session, candidate, Standard(reference.author), say)
    if lowering is not None:
        session = _lower(path, candidate, manifest, lowering, say)
        reference = _Itself(session)
    golden = _write_golden(reference, candidate, folder)
    manifest.MergeFrom(Manifest(graphs=[Graph(role=MODEL, file=artifact.describe(path))], golden=golden))
    (folder / artifact.MANIFEST).write_text(artifact.to_json(manifest), "utf-8")
    (folder / card.FILE).write_text(card.text(manifest, candidate, parity), "utf-8")
    gate.check_golden(artifact.read(folder), session, Standard(reference.author))
    say(f"golden   {_GOLDEN_SAMPLES} samples with {reference.author}'s answers, read back and answered alike")


def about(path: Path) -> str:
    """Says what a written graph is, in words."""
    opsets = {each.domain: each.version for each in onnx.load(path).opset_import}
    return f"{path.name}, opset {opsets['']}, {path.stat().st_size:,} bytes; onnx.checker finds no fault"


def _prove(session: Session, candidate: Candidate, standard: Standard, say: Say) -> dict[int, float]:
    parity = gate.check_parity(session, candidate.reference, candidate.samples, candidate.task.labels, standard)
    alike = ", same labels" if standard.same_best else ""
    for size, worst in parity.items():
        say(f"parity   batch of {size:2}: largest difference {worst:.1e} ({standard.tolerance:.0e} allowed){alike}")
    return parity


def _lower(path: Path, candidate: Candidate, manifest: Manifest, lowering: Lowering, say: Say) -> Session:
    """Puts the graph in smaller numbers in the place of the proved one, and tells the manifest."""
    full = path.with_name("full.onnx")
    path.rename(full)
    lower.write(full, path, lowering)
    session = Session.open(path)
    say(f"{lowering.name:8} {about(path)}")
    gate.check_signature(session, manifest.classification)
    standard = lower.standard(lowering, candidate.reference.author)
    if standard is not None:
        _prove(session, candidate, standard, say)
    manifest.precision.CopyFrom(lower.measure(Session.open(full), session, lowering, say))
    full.unlink()
    del manifest.scores[:]
    if lowering.exam.labels_N is not None:
        manifest.scores.append(manifest.precision.lowered)
    _explain(path, facts(manifest))
    return Session.open(path)


def _explain(path: Path, told: dict[str, str]) -> None:
    model = onnx.load(path)
    onnx.helper.set_model_props(model, told)
    onnx.save(model, path)


class _Itself:
    """The published file as its own reference: in smaller numbers, nothing else says quite the same."""

    author: Final = "the file"

    def __init__(self, session: Session) -> None:
        self._session = session

    def answer(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Gives probabilities_NK f32."""
        outputs = self._session.run({self._session.inputs[0].name: inputs})
        return outputs[signature.PROBABILITIES].astype(np.float32)


def _write_golden(reference: Reference, candidate: Candidate, folder: Path) -> File:
    samples = candidate.samples[:_GOLDEN_SAMPLES]
    taken, given = signature.takes(candidate.task).name, signature.PROBABILITIES
    arrays: Tensors = {f"{MODEL}/in/{taken}": samples, f"{MODEL}/out/{given}": reference.answer(samples)}
    np.savez_compressed(folder / artifact.GOLDEN, allow_pickle=False, **arrays)
    return artifact.describe(folder / artifact.GOLDEN)
