"""Legend: N pictures, T tokens."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from export.captions import build, score
from export.captions.describer import Describer
from export.command import export
from export.precision.choice import Name
from hondo import artifact
from hondo.errors import AccuracyError, InvalidRequest
from protos.manifest_pb2 import Captioning, Score
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from tests.export.captions.conftest import make_run
from training.captions.run import CaptionRun, Kept


def folder_in(place: Path) -> Path:
    folder = place / "noise" / "3"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module", params=[Name.FP32, Name.FP16_WEIGHTS])
def built(
    request: pytest.FixtureRequest, run: CaptionRun, kept: Kept, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """An artifact, and what its making said."""
    folder, said = folder_in(tmp_path_factory.mktemp("models")), list[str]()
    build.build(run, kept, folder, said.append, request.param)
    return folder, "\n".join(said)


def test_artifact_is_whole(built: tuple[Path, str], task: Captioning, run: CaptionRun) -> None:
    """The manifest names every file beside it, and says what turns tokens into words and places into a picture."""
    manifest = artifact.read(built[0]).manifest
    assert [graph.role for graph in manifest.graphs] == ["encode", "step"]
    named = {graph.file.path for graph in manifest.graphs} | {manifest.golden.path}
    assert {path.name for path in built[0].iterdir()} == named | {"manifest.json", "README.md"}
    assert manifest.captioning == task
    assert (task.grid_height, task.grid_width, task.max_words) == (2, 3, 6)
    assert (task.end, task.start, task.unknown) == (0, 1, 2)
    assert tuple(task.vocabulary) == run.facts.vocabulary
    assert list(manifest.scores) == list(run.scores)


def test_golden_samples_come_out(built: tuple[Path, str]) -> None:
    """What lies on disk is what the graphs give: tokens exactly."""
    read, describer = artifact.read(built[0]), Describer.open(built[0])
    for role, session in (("encode", describer.encode), ("step", describer.step)):
        inputs, outputs = read.golden(role)
        found = session.run(inputs)
        assert set(inputs) == {each.name for each in session.inputs}
        assert set(outputs) == {each.name for each in session.outputs}
        for name, expected in outputs.items():
            assert np.abs(found[name].astype(np.float64) - expected.astype(np.float64)).max() < 1e-4


def test_each_file_explains_itself(built: tuple[Path, str]) -> None:
    """A graph's metadata has the task and the vocabulary."""
    manifest = artifact.read(built[0]).manifest
    for graph in manifest.graphs:
        told = {each.key: each.value for each in onnx.load(built[0] / graph.file.path).metadata_props}
        assert told["task"] == "captioning"
        assert json.loads(told["vocabulary"]) == list(manifest.captioning.vocabulary)


def test_card_says_what_it_is(built: tuple[Path, str]) -> None:
    """The card has captions beside people's, its scores and its proof."""
    card = (built[0] / "README.md").read_text("utf-8")
    assert "hondo caption --model noise" in card
    assert "| a a b |" in card
    assert "| CIDEr | " in card
    assert "The captions of 5 pictures that the training never saw" in card
    assert ("## Precision" in card) == artifact.read(built[0]).manifest.HasField("precision")


def test_says_each_step(built: tuple[Path, str]) -> None:
    """What was proved and measured is said, a line each."""
    for begin in ("graphs   encode.onnx", "parity   batch of  1", "parity   batch of 16", "company", "golden"):
        assert f"\n{begin}" in f"\n{built[1]}"


def test_artifact_loads_to_serve(built: tuple[Path, str]) -> None:
    """The server takes the artifact as it is."""
    (model,) = Catalog.load(built[0].parent.parent, Device.CPU)
    assert (model.task, set(model.sessions)) == ("captioning", {"encode", "step"})


@pytest.mark.parametrize("precision", [Name.FP16, Name.INT8])
def test_refuses_other_precisions(precision: Name, run: CaptionRun, kept: Kept, tmp_path: Path) -> None:
    """A precision that such nets are not published in is refused by what there is."""
    with pytest.raises(InvalidRequest, match="published in fp32 or fp16-weights"):
        build.build(run, kept, folder_in(tmp_path), _silent, precision)


def test_refuses_what_is_worth_less() -> None:
    """Smaller numbers that cost more than two hundredths of CIDEr are not published."""
    score.check(Score(value=0.7), Score(value=0.681))
    with pytest.raises(AccuracyError, match=r"CIDEr is 0\.6790, 0\.7000 in 32-bit floats: 0\.0210 less"):
        score.check(Score(value=0.7), Score(value=0.679))
    with pytest.raises(AccuracyError, match="nan"):
        score.check(Score(value=0.7), Score(value=float("nan")))


def test_a_caption_is_worth_what_people_said(kept: Kept) -> None:
    """People's own captions score high, those of other pictures low."""
    own = [list("a" + word + "b") for word in "abcde"]
    assert score.cider(own, kept, "noise").value > 2 * score.cider(own[::-1], kept, "noise").value > 0


def test_data_is_not_for_captioners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says that a captioner's run holds what it is scored on."""
    monkeypatch.setattr("export.command.is_caption_run", lambda _: True)
    result = CliRunner().invoke(export, [str(tmp_path), "--data", "digits", "--to", str(tmp_path / "models")])
    assert result.exit_code == 2
    assert "the run of a captioner holds the pictures" in result.output


def test_grid_is_only_that_of_what_attends() -> None:
    """A net that does not attend has no places to look at."""
    task = build.task_of(make_run(attends=False))
    assert (task.grid_height, task.grid_width) == (0, 0)


def _silent(_: str) -> None:
    """Says nothing."""
