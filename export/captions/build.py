"""The artifact of a net that makes captions, made from a run and proved, in a folder that nobody serves yet."""

import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnx.helper

from export import provenance
from export.build import Say
from export.captions import card, gate, golden, graphs, score, signature
from export.captions.describer import Describer, step_feeds
from export.captions.gate import Proof
from export.captions.graphs import EncodeGraph
from export.captions.reference import Reference
from export.card import FILE as CARD
from export.convert import write
from export.manifest import facts
from export.precision import half, speed
from export.precision.choice import Name
from export.writing.reference import AUTHOR
from hondo import artifact
from hondo.artifact import ENCODE, STEP
from hondo.errors import InvalidRequest
from protos.manifest_pb2 import Captioning, Graph, Manifest, Precision
from training.captions.run import CaptionRun, Kept
from training.data.captioned import END, START, UNKNOWN

ROLES: Final = (ENCODE, STEP)
# An EfficientNet sees so many pixels, along either axis, as one place.
_STRIDE_PX: Final = 32
# Of the comparison of two precisions' speed.
_BATCH: Final = 16
_ROUNDS: Final = 7


def build(run: CaptionRun, kept: Kept, folder: Path, say: Say, precision: Name = Name.FP32) -> None:
    """Writes and proves the artifact of a run.

    Args:
        run: a finished training.
        kept: pictures that it never saw.
        folder: exists and is empty; its last two names are the model's name and version.
        say: is told the outcome of each step, a line at a time.
        precision: FP32, or FP16_WEIGHTS.

    Raises:
        InvalidRequest: nets that make captions cannot be had in that precision.
        ParityError: the files do not say what the net says.
        AccuracyError: with smaller numbers its captions are worse than they may be.
    """
    if precision not in {Name.FP32, Name.FP16_WEIGHTS}:
        raise InvalidRequest(
            f"a net that makes captions is published in {Name.FP32} or {Name.FP16_WEIGHTS}, not in {precision}"
        )
    manifest = _describe(run, folder)
    task, graph = manifest.captioning, EncodeGraph(run.front, run.sight, run.net)
    _write(graph, manifest, folder)
    describer = _opened(folder, say)
    reference = Reference(graph, task)
    proof = _prove(describer, reference, kept, say)
    said = score.captions(describer, task, kept.images_NHWC)
    if precision is Name.FP16_WEIGHTS:
        describer = _halve(describer, said, kept, manifest, say)
        said = score.captions(describer, task, kept.images_NHWC)
    author = describer if manifest.HasField("precision") else reference
    manifest.golden.CopyFrom(golden.write(author, task, kept.images_NHWC, folder))
    _publish(manifest, folder, proof, card.Specimens(said, kept.captions))
    golden.check(artifact.read(folder), Describer.open(folder), _author(manifest))
    say(f"golden   samples of {_author(manifest)}, read back and answered alike")


def task_of(run: CaptionRun) -> Captioning:
    """Gives what the manifest says of a run's task."""
    recipe = run.facts.recipe
    sides = [
        math.ceil(side / _STRIDE_PX) if run.net.attends else 0 for side in (recipe.input.height, recipe.input.width)
    ]
    return Captioning(
        image=recipe.input.spec(),
        vocabulary=run.facts.vocabulary,
        end=END,
        start=START,
        unknown=UNKNOWN,
        max_words=recipe.max_words,
        length_penalty=recipe.length_penalty,
        grid_height=sides[0],
        grid_width=sides[1],
    )


def _describe(run: CaptionRun, folder: Path) -> Manifest:
    return Manifest(
        name=folder.parent.name,
        version=int(folder.name),
        summary=run.facts.recipe.summary,
        captioning=task_of(run),
        provenance=provenance.of_captions(run),
        scores=run.scores,
    )


def _write(graph: EncodeGraph, manifest: Manifest, folder: Path) -> None:
    task, told = manifest.captioning, facts(manifest)
    (takes,), gives = (of(ENCODE, graph.net, task) for of in (signature.takes, signature.gives))
    write(graph, takes, gives, folder / f"{ENCODE}.onnx", told)
    _save(graphs.step(graph.net, task, told), folder / f"{STEP}.onnx")


def _save(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(path, full_check=True)


def _opened(folder: Path, say: Say) -> Describer:
    paths = [folder / f"{role}.onnx" for role in ROLES]
    sizes = ", ".join(f"{path.name} {path.stat().st_size:,} bytes" for path in paths)
    say(f"graphs   {sizes}; onnx.checker finds no fault")
    return Describer.open(folder)


def _prove(describer: Describer, reference: Reference, kept: Kept, say: Say) -> Proof:
    proof = gate.prove(describer, reference, kept.images_NHWC)
    for size, worst in proof.saying.items():
        say(
            f"parity   batch of {size:2}: what is seen differs by {proof.looking[size]:.1e}, log-probabilities by "
            f"{worst:.1e} ({gate.TOLERANCE:.0e} allowed); {proof.captions} captions are the same"
        )
    say(f"company  rows say the same in any batch{', to the last bit' if proof.same_bits else ''}")
    return proof


def _halve(full: Describer, full_said: list[list[str]], kept: Kept, manifest: Manifest, say: Say) -> Describer:
    """Stores the weights in 16 bits, and tells the manifest what that costs."""
    folder = full.step.path.parent
    for role in ROLES:
        path = folder / f"{role}.onnx"
        _save(half.store(onnx.load(path)), path)
    lowered, task = _opened(folder, say), manifest.captioning
    said = score.captions(lowered, task, kept.images_NHWC)
    data = f"{' and '.join(source.name for source in manifest.provenance.data)}, test pictures that were kept, beam 1"
    before, after = score.cider(full_said, kept, data), score.cider(said, kept, data)
    same = sum(mine == theirs for mine, theirs in zip(said, full_said, strict=True))
    say(
        f"score    CIDEr {after.value:.4f}, {before.value:.4f} in 32-bit floats; {same} of {len(said)} captions are "
        "the same"
    )
    score.check(before, after)
    ratio = statistics.median(_ratios(full, lowered, task, kept))
    manifest.precision.CopyFrom(
        Precision(
            name=Name.FP16_WEIGHTS,
            full=before,
            lowered=after,
            speed_ratio=ratio,
            batch=_BATCH,
            machine=speed.machine(),
        )
    )
    return lowered


def _ratios(full: Describer, lowered: Describer, task: Captioning, kept: Kept) -> Iterator[float]:
    images = np.resize(kept.images_NHWC, (_BATCH, *kept.images_NHWC.shape[1:]))
    seen = full.look(images)
    feeds = step_feeds(seen, np.full(_BATCH, task.start, np.int64), gate.greedy(_BATCH, 1))

    def seconds(describer: Describer) -> float:
        started_s = time.perf_counter()
        describer.look(images)
        for _ in range(task.max_words):
            describer.step.run(feeds)
        return time.perf_counter() - started_s

    for describer in (full, lowered):
        seconds(describer)  # the first run at a size plans its memory
    for number in range(_ROUNDS):
        # Whoever came second begins the next round.
        order = (full, lowered) if number % 2 else (lowered, full)
        taken = {describer: seconds(describer) for describer in order}
        yield taken[full] / taken[lowered]


def _publish(manifest: Manifest, folder: Path, proof: Proof, specimens: card.Specimens) -> None:
    """Writes what else is published, and tells the graphs all that the manifest says."""
    for role in ROLES:
        path = folder / f"{role}.onnx"
        model = onnx.load(path)
        onnx.helper.set_model_props(model, facts(manifest))
        _save(model, path)
    files = [Graph(role=role, file=artifact.describe(folder / f"{role}.onnx")) for role in ROLES]
    manifest.graphs.extend(files)
    (folder / artifact.MANIFEST).write_text(artifact.to_json(manifest), "utf-8")
    (folder / CARD).write_text(card.text(manifest, proof, Describer.open(folder), specimens), "utf-8")


def _author(manifest: Manifest) -> str:
    return "the files" if manifest.HasField("precision") else AUTHOR
