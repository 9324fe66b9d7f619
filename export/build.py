"""The artifact's files, made from a run and proved, in a folder that nobody serves yet."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from export import card, gate, signature
from export.convert import OPSET, convert
from export.graphs import ClassifierGraph
from export.manifest import describe, facts
from hondo import artifact
from hondo.artifact import MODEL, Tensors
from protos.manifest_pb2 import File, Graph, Manifest
from serving.session import Session
from training.run import Run

_GOLDEN_SAMPLES: Final = 8


def build(run: Run, folder: Path, say: Callable[[str], None]) -> None:
    """Writes and proves the artifact of a run.

    Args:
        run: the trained net and all that is known of it.
        folder: exists and is empty; its last two names are the model's name and version.
        say: is told the outcome of each step, a line at a time.

    Raises:
        ParityError: the file does not say what the net says.
        InvalidArtifact: the file does not load.
    """
    manifest = describe(run, name=folder.parent.name, version=int(folder.name))
    graph = ClassifierGraph(run.front, run.net)
    path = folder / f"{MODEL}.onnx"
    convert(graph, run.task, path, facts(manifest))
    say(f"graph    {path.name}, opset {OPSET}, {path.stat().st_size:,} bytes; onnx.checker finds no fault")
    session = Session.open(path)
    gate.check_signature(session, manifest.classification)
    parity = gate.check_parity(session, graph, run.samples.inputs, run.task.labels)
    for size, worst in parity.items():
        say(f"parity   batch of {size:2}: largest difference {worst:.1e} ({gate.TOLERANCE:.0e} allowed), same labels")
    golden = _write_golden(graph, run, folder)
    manifest.MergeFrom(Manifest(graphs=[Graph(role=MODEL, file=artifact.describe(path))], golden=golden))
    (folder / artifact.MANIFEST).write_text(artifact.to_json(manifest), "utf-8")
    (folder / card.FILE).write_text(card.text(manifest, parity), "utf-8")
    gate.check_golden(artifact.read(folder), session)
    say(f"golden   {_GOLDEN_SAMPLES} samples with PyTorch's answers, read back and answered alike")


def _write_golden(graph: ClassifierGraph, run: Run, folder: Path) -> File:
    samples = run.samples.inputs[:_GOLDEN_SAMPLES]
    taken, given = signature.takes(run.task).name, signature.PROBABILITIES
    arrays: Tensors = {f"{MODEL}/in/{taken}": samples, f"{MODEL}/out/{given}": graph.answer(samples)}
    np.savez_compressed(folder / artifact.GOLDEN, allow_pickle=False, **arrays)
    return artifact.describe(folder / artifact.GOLDEN)
