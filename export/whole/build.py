"""The files of an artifact that takes pictures of any size, made and proved in a folder that nobody serves yet."""

from pathlib import Path
from typing import Final

import numpy as np

from export.build import Say, about
from export.convert import write
from export.manifest import describe, facts
from export.whole import card, gate
from export.whole.candidate import WholeCandidate
from hondo import artifact
from hondo.artifact import MODEL, Tensors
from protos.manifest_pb2 import File, Graph, Manifest
from serving.runtime.session import Session

# Golden samples: as few and as small as show that all is as it was.
_GOLDEN: Final = gate.Trial(2, 48, 65)


def build(candidate: WholeCandidate, folder: Path, say: Say) -> None:
    """Writes and proves the artifact of a candidate.

    Args:
        candidate: what is to be published.
        folder: exists and is empty; its last two names are the model's name and version.
        say: is told the outcome of each step, a line at a time.

    Raises:
        ParityError: the file does not say what the reference says.
        InvalidArtifact: the file does not load.
    """
    manifest = describe(candidate, name=folder.parent.name, version=int(folder.name))
    path = folder / f"{MODEL}.onnx"
    write(candidate.graph, candidate.takes, candidate.gives, path, facts(manifest))
    session, allowed = Session.open(path), gate.tolerance(candidate.task)
    say(f"graph    {about(path)}")
    gate.check_signature(session, candidate)
    parity = gate.check_parity(session, candidate)
    for trial, worst in parity.items():
        say(f"parity   {trial!s:>14}: largest difference {worst:.1e} ({allowed:.0e} allowed)")
    golden = _write_golden(candidate, folder)
    manifest.MergeFrom(Manifest(graphs=[Graph(role=MODEL, file=artifact.describe(path))], golden=golden))
    (folder / artifact.MANIFEST).write_text(artifact.to_json(manifest), "utf-8")
    (folder / card.FILE).write_text(card.text(manifest, candidate, parity), "utf-8")
    gate.check_golden(artifact.read(folder), session, allowed)
    say(f"golden   {_GOLDEN} with {candidate.graph.author}'s answers, read back and answered alike")


def _write_golden(candidate: WholeCandidate, folder: Path) -> File:
    image_NHWC = candidate.samples.cut(_GOLDEN.pictures, _GOLDEN.height, _GOLDEN.width, candidate.task.channels)
    answers = candidate.graph.answer(image_NHWC)
    arrays: Tensors = {f"{MODEL}/in/{candidate.takes.name}": image_NHWC}
    arrays |= {f"{MODEL}/out/{name}": answer for name, answer in answers.items()}
    np.savez_compressed(folder / artifact.GOLDEN, allow_pickle=False, **arrays)
    return artifact.describe(folder / artifact.GOLDEN)
