"""Legend: T tokens."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.precision.choice import Name
from export.writing import build, score
from export.writing.writer import Writer
from hondo import artifact, characters
from hondo.errors import AccuracyError, InvalidArtifact, InvalidRequest, ParityError
from tests.export.writing.conftest import make_net
from training.text_run import TextRun


def folder_in(place: Path) -> Path:
    folder = place / "noise" / "3"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module", params=[Name.FP32, Name.FP16_WEIGHTS])
def built(request: pytest.FixtureRequest, run: TextRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An artifact, and what its making said."""
    folder, said = folder_in(tmp_path_factory.mktemp("models")), list[str]()
    build.build(run, folder, said.append, request.param)
    return folder, "\n".join(said)


def test_artifact_is_whole(built: tuple[Path, str], run: TextRun) -> None:
    """The manifest names every file beside it, and says what turns text into tokens."""
    read = artifact.read(built[0])
    manifest = read.manifest
    assert [graph.role for graph in manifest.graphs] == ["prefill", "step"]
    named = {graph.file.path for graph in manifest.graphs} | {manifest.weights.path, manifest.golden.path}
    assert {path.name for path in built[0].iterdir()} == named | {"manifest.json", "README.md"}
    assert manifest.text_generation == run.task
    characters.check(manifest.text_generation)
    assert (manifest.name, manifest.version, manifest.summary) == ("noise", 3, "Writes noise.")


def test_scores_are_those_of_the_graphs(built: tuple[Path, str], run: TextRun) -> None:
    """The loss in nats and bits is measured through the files, and is the net's where nothing is rounded."""
    manifest = artifact.read(built[0]).manifest
    nats, bits = manifest.scores
    assert (nats.unit, bits.unit) == ("nats/character", "bits/character")
    assert nats.samples == len(run.text_T) - 1
    assert nats.value == pytest.approx(score.loss(Writer.open(built[0]), run.text_T), rel=1e-9)
    assert nats.value == pytest.approx(run.scores[0].value, abs=1e-5 if not manifest.HasField("precision") else 0.01)


def test_golden_samples_come_out(built: tuple[Path, str]) -> None:
    """What lies on disk is what the graphs give: tokens exactly."""
    read, writer = artifact.read(built[0]), Writer.open(built[0])
    for role, session in (("prefill", writer.prefill), ("step", writer.step)):
        inputs, outputs = read.golden(role)
        found = session.run(inputs)
        assert set(outputs) == {each.name for each in session.outputs}
        for name, expected in outputs.items():
            assert np.abs(found[name].astype(np.float64) - expected.astype(np.float64)).max() < 1e-4


def test_each_file_explains_itself(built: tuple[Path, str]) -> None:
    """A graph's metadata has the task, the vocabulary and the scores."""
    manifest = artifact.read(built[0]).manifest
    for graph in manifest.graphs:
        model = onnx.load(built[0] / graph.file.path, load_external_data=False)
        told = {each.key: each.value for each in model.metadata_props}
        assert told["task"] == "text_generation"
        assert json.loads(told["vocabulary"]) == list(manifest.text_generation.vocabulary)
        assert json.loads(told["scores"])[0]["value"] == manifest.scores[0].value


def test_card_says_what_it_is(built: tuple[Path, str]) -> None:
    """The card has an example of what it writes, its scores and its proof."""
    card = (built[0] / "README.md").read_text("utf-8")
    assert "hondo generate --model noise" in card
    assert "whoever else is in its batch, to the last bit" in card
    assert "| loss | " in card
    assert ("## Precision" in card) == artifact.read(built[0]).manifest.HasField("precision")


def test_says_each_step(built: tuple[Path, str]) -> None:
    """What was proved and measured is said, a line each."""
    for begin in (
        "graphs   prefill.onnx",
        "parity   batch of  1",
        "parity   batch of 16",
        "company",
        "score",
        "golden",
    ):
        assert f"\n{begin}" in f"\n{built[1]}"


def test_altered_weights_do_not_load(run: TextRun, tmp_path: Path) -> None:
    """The common file of weights is held to its hash as the graphs are."""
    folder = folder_in(tmp_path)
    build.build(run, folder, _silent)
    path = folder / "weights.bin"
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    with pytest.raises(InvalidArtifact, match=r"weights\.bin was altered"):
        artifact.read(folder)


@pytest.mark.parametrize("precision", [Name.FP16, Name.INT8])
def test_refuses_other_precisions(precision: Name, run: TextRun, tmp_path: Path) -> None:
    """A precision that such nets are not published in is refused by what there is."""
    with pytest.raises(InvalidRequest, match="published in fp32 or fp16-weights"):
        build.build(run, folder_in(tmp_path), _silent, precision)


def test_refuses_what_foretells_worse(run: TextRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller numbers that cost more than a hundredth of a nat are not published."""
    losses = iter([1.5, 1.511])
    monkeypatch.setattr(score, "loss", lambda *_: next(losses))
    with pytest.raises(AccuracyError, match=r"1\.5110 nats a character, 1\.5000 in 32-bit floats: 0\.0110 more"):
        build.build(run, folder_in(tmp_path), _silent, Name.FP16_WEIGHTS)
    with pytest.raises(AccuracyError, match="nan"):
        score.check(1.5, float("nan"))


def test_refuses_graphs_of_another_net(run: TextRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not the run's net is not published."""
    other = replace(run, net=make_net("gru"))
    drawn = build._models(other, build._describe(other, folder_in(tmp_path / "other")))
    monkeypatch.setattr(build, "_models", lambda *_: drawn)
    with pytest.raises(ParityError, match="must take"):
        build.build(run, folder_in(tmp_path), _silent)


def _silent(_: str) -> None:
    """Says nothing."""
