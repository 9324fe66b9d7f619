"""The artifact of a net that writes, made from a run and proved, in a folder that nobody serves yet."""

import math
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnx.helper

from export import provenance
from export.build import Say
from export.card import FILE as CARD
from export.manifest import facts
from export.precision import half, speed
from export.precision.choice import Name
from export.writing import card, gate, golden, graphs, score, weights
from export.writing.gate import Proof
from export.writing.reference import AUTHOR, Reference
from export.writing.writer import Writer
from export.writing.written import Controls
from hondo import artifact, characters
from hondo.artifact import PREFILL, STEP
from hondo.errors import InvalidRequest
from protos.manifest_pb2 import Graph, Manifest, Precision, Score
from training.text_run import TextRun, loss_scores

# What the card shows.
_SPECIMEN: Final = 480
_TEMPERATURE: Final = 0.8
_SEED: Final = 1
# Of the comparison of two precisions' speed.
_BATCH: Final = 32
_ROUNDS: Final = 60

Models = Mapping[str, onnx.ModelProto]


def build(run: TextRun, folder: Path, say: Say, precision: Name = Name.FP32) -> None:
    """Writes and proves the artifact of a run.

    Args:
        run: a finished training.
        folder: exists and is empty; its last two names are the model's name and version.
        say: is told the outcome of each step, a line at a time.
        precision: FP32, or FP16_WEIGHTS.

    Raises:
        InvalidRequest: nets that write cannot be had in that precision.
        ParityError: the files do not say what the net says.
        AccuracyError: with smaller numbers it foretells worse than it may.
    """
    if precision not in {Name.FP32, Name.FP16_WEIGHTS}:
        raise InvalidRequest(
            f"a net that writes is published in {Name.FP32} or {Name.FP16_WEIGHTS}, not in {precision}"
        )
    manifest = _describe(run, folder)
    models = _models(run, manifest)
    writer = _write(models, folder, say)
    proof = _prove(writer, run, say)
    nats = _score(writer, run, say)
    if precision is Name.FP16_WEIGHTS:
        models, nats = _halve(models, folder, say, (writer, run, nats), manifest)
    manifest.scores.extend(_scores(run, nats))
    _publish(run, manifest, models, folder, proof)
    say(f"golden   samples of {_author(manifest)}, read back and answered alike")


def _describe(run: TextRun, folder: Path) -> Manifest:
    return Manifest(
        name=folder.parent.name,
        version=int(folder.name),
        summary=run.summary,
        text_generation=run.task,
        provenance=provenance.of_run(run),
    )


def _models(run: TextRun, manifest: Manifest) -> Models:
    told = facts(manifest)
    return {PREFILL: graphs.prefill(run.net, told), STEP: graphs.step(run.net, told)}


def _write(models: Models, folder: Path, say: Say) -> Writer:
    weights.write(models, folder)
    paths = [*(folder / f"{role}.onnx" for role in models), folder / weights.FILE]
    sizes = ", ".join(f"{path.name} {path.stat().st_size:,} bytes" for path in paths)
    say(f"graphs   {sizes}; onnx.checker finds no fault")
    return Writer.open(folder)


def _prove(writer: Writer, run: TextRun, say: Say) -> Proof:
    proof = gate.prove(writer, run.net, run.text_T)
    for size, worst in proof.reading.items():
        say(
            f"parity   batch of {size:2}: log-probabilities differ by {worst:.1e} reading, {proof.writing[size]:.1e} "
            f"writing ({gate.TOLERANCE:.0e} allowed); greedy text is the same"
        )
    say(f"company  rows write the same in any batch{', to the last bit' if proof.same_bits else ''}")
    return proof


def _score(writer: Writer, run: TextRun, say: Say) -> float:
    nats = score.loss(writer, run.text_T)
    bits = nats / math.log(2)
    say(f"score    {nats:.4f} nats ({bits:.4f} bits) a character, of {len(run.text_T) - 1:,}")
    return nats


def _scores(run: TextRun, nats: float) -> list[Score]:
    measured = run.scores[0]
    return list(loss_scores(nats, measured.data, measured.samples))


def _halve(
    models: Models, folder: Path, say: Say, full: tuple[Writer, TextRun, float], manifest: Manifest
) -> tuple[Models, float]:
    """Stores the weights in 16 bits, and tells the manifest what that costs."""
    full_writer, run, full_nats = full
    halved = {role: half.store(model) for role, model in models.items()}
    writer = _write(halved, folder, say)
    gate.check_signature(writer, run.net)
    gate.check_company(writer, run.text_T)
    nats = _score(writer, run, say)
    score.check(full_nats, nats)
    ratio = statistics.median(_ratios(full_writer, writer))
    before, after = _scores(run, full_nats)[0], _scores(run, nats)[0]
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
    return halved, nats


def _ratios(full: Writer, lowered: Writer) -> Iterator[float]:
    for writer in (full, lowered):
        _seconds(writer)  # the first run at a size plans its memory
    for number in range(_ROUNDS):
        # Whoever came second begins the next round.
        order = (full, lowered) if number % 2 else (lowered, full)
        taken = {writer: _seconds(writer) for writer in order}
        yield taken[full] / taken[lowered]


def _seconds(writer: Writer) -> float:
    feeds = writer.step_feeds(np.zeros(_BATCH, np.int64), writer.first_state(_BATCH), _chance(_BATCH, writer.steps))
    started_s = time.perf_counter()
    writer.step.run(feeds)
    return time.perf_counter() - started_s


def _chance(rows: int, count: int) -> Controls:
    return Controls(
        temperature_N=np.full(rows, _TEMPERATURE, np.float32),
        top_k_N=np.zeros(rows, np.int64),
        top_p_N=np.ones(rows, np.float32),
        uniform_NT=np.random.default_rng(_SEED).random((rows, count), np.float32),
    )


def _publish(run: TextRun, manifest: Manifest, models: Models, folder: Path, proof: Proof) -> None:
    """Writes the files as they are published, and checks the golden samples with them."""
    for model in models.values():
        onnx.helper.set_model_props(model, facts(manifest))
    weights.write(models, folder)
    writer = Writer.open(folder)
    author = writer if manifest.HasField("precision") else Reference(run.net)
    files = [Graph(role=role, file=artifact.describe(folder / f"{role}.onnx")) for role in models]
    kept = artifact.describe(folder / weights.FILE)
    made = golden.write(author, writer, run.text_T, folder)
    manifest.MergeFrom(Manifest(graphs=files, weights=kept, golden=made))
    (folder / artifact.MANIFEST).write_text(artifact.to_json(manifest), "utf-8")
    (folder / CARD).write_text(card.text(manifest, proof, writer, _specimen(run, writer)), "utf-8")
    golden.check(artifact.read(folder), writer, _author(manifest))


def _author(manifest: Manifest) -> str:
    return "the files" if manifest.HasField("precision") else AUTHOR


def _specimen(run: TextRun, writer: Writer) -> str:
    start_N = np.array([run.task.start])
    written = writer.write(start_N, writer.first_state(1), _chance(1, _SPECIMEN))
    return characters.decode(written.tokens_NT[0], run.task.vocabulary).strip()
