"""What needs no training, from its name to an artifact; and a training's run folder."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from export.whole import candidate, pictures
from hondo import artifact
from hondo.artifact import MODEL
from hondo.cli import main
from protos.manifest_pb2 import DataSource, Score
from serving.runtime.session import Session
from tests.hondo.pictures import gradient
from training import run
from training.checkpoint import KEY
from training.data.bsds500 import Drawn
from training.edges import run as edges_run
from training.edges.detector import Detector
from training.edges.recipe import EdgeRecipe
from training.edges.run import EdgeResults, Facts
from training.fixed import FixedRecipe
from training.recipe import load, names_of


def export(source: object, models: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", str(source), "--to", str(models), *arguments])


@pytest.mark.parametrize("name", names_of(FixedRecipe))
def test_every_fixed_model_answers(name: str) -> None:
    """As its recipe has it, each makes something of a picture: edges from 0 to 1, or another picture."""
    recipe = load(name)
    assert isinstance(recipe, FixedRecipe)
    graph = candidate.of_fixed(recipe, pictures.shipped()).graph
    image_NHWC = pictures.shipped().cut(2, 33, 40, recipe.channels)
    (answer,) = graph.answer(image_NHWC).values()
    assert answer.shape == (image_NHWC.shape if recipe.gives == "filtered" else image_NHWC.shape[:3])
    assert answer.std() > 0
    if recipe.gives == "edges":
        assert 0 <= answer.min() < answer.max() <= 1
    else:
        assert not np.array_equal(answer, image_NHWC)


@pytest.mark.parametrize("name", ["laplacian", "shift"])
def test_a_fixed_model_is_exported(name: str, tmp_path: Path) -> None:
    """The artifact holds, takes pictures of any size, and gives maps of their size or pictures again."""
    ran = export(name, tmp_path)
    assert ran.exit_code == 0, ran.output
    for told in ("1 of 256 x 384: largest difference", "1 of 321 x 243", "3 of 97 x 130", "golden   2 of 48 x 65"):
        assert told in ran.output
    read = artifact.read(tmp_path / name / "1")
    session = Session.open(read.graph_path(MODEL))
    (taken,), (given,) = session.inputs, session.outputs
    channels = taken.shape[-1]
    assert taken.shape == ("N", "H", "W", channels)
    if read.manifest.WhichOneof("task") == "edge_detection":
        assert read.manifest.edge_detection.channels == channels == 1
        assert (given.name, given.shape) == ("edges", ("N", "H", "W"))
    else:
        assert read.manifest.image_filter.channels == channels == 3
        assert (given.name, given.shape) == ("filtered", ("N", "H", "W", 3))


def test_settings_of_a_fixed_model_can_be_changed(tmp_path: Path) -> None:
    """Sobel along x alone is exported as such, and the file says so."""
    ran = export("sobel", tmp_path, "--set", "net.direction=x", "--name", "sobel-x")
    assert ran.exit_code == 0, ran.output
    session = Session.open(tmp_path / "sobel-x" / "1" / "model.onnx")
    assert '"direction": "x"' in session.metadata["recipe"]
    grey_HW = cv2.cvtColor(gradient(), cv2.COLOR_RGB2GRAY)
    (found_NHW,) = session.run({"image": grey_HW[None, :, :, None]}).values()
    expected_HW = np.abs(cv2.Sobel(grey_HW, cv2.CV_64F, 1, 0, borderType=cv2.BORDER_REPLICATE)) / 1020
    assert np.abs(found_NHW[0].astype(np.float64) - expected_HW).max() < 1e-4


def test_around_itself_a_picture_cannot_be_answered_in_parts(tmp_path: Path) -> None:
    """With the picture around itself, the left side has influence on the right: there is no reach."""
    assert export("sobel", tmp_path, "--set", "net.padding=circular").exit_code == 0
    assert export("prewitt", tmp_path).exit_code == 0
    reach_px = [artifact.read(tmp_path / name / "1").manifest.edge_detection.reach_px for name in ("sobel", "prewitt")]
    assert reach_px == [0, 1]


def test_canny_ends_its_loop_however_long_a_line_is(tmp_path: Path) -> None:
    """In the file, too, a spiral of a thousand pixels hangs together from end to end, as OpenCV has it."""
    assert export("canny", tmp_path, "--set", "net.sigma_px=0", "--set", "net.low=0.25").exit_code == 0
    session = Session.open(tmp_path / "canny" / "1" / "model.onnx")
    grey_HW = np.full((64, 64), 100, np.uint8)
    for turn in range(2, 30, 6):
        grey_HW[turn : 64 - turn, turn : turn + 3] = grey_HW[turn : turn + 3, turn : 64 - turn] = 125
        grey_HW[turn : 64 - turn, 61 - turn : 64 - turn] = grey_HW[61 - turn : 64 - turn, turn + 6 : 64 - turn] = 125
    grey_HW[2:5, 2:5] = 250
    (found_NHW,) = session.run({"image": grey_HW[None, :, :, None]}).values()
    for threshold in (60, 100, 200, 399):
        theirs_HW = cv2.Canny(grey_HW, threshold / 4, threshold, L2gradient=True) > 0
        assert np.array_equal(found_NHW[0] > threshold / 1020, theirs_HW)


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    """A model that there is none of, settings of a run, other precisions and data are told."""
    for source, arguments, told in (
        ("sobbel", (), "no run folder sobbel"),
        (tmp_path, ("--set", "net.padding=zero"), "a run has its settings"),
        ("sobel", ("--precision", "int8", "--data", "digits"), "has nothing to learn"),
        ("sobel", ("--set", "net.padding=around"), "cannot be built with these settings"),
        ("sobel", ("--set", "net.pading=zero"), "did you mean net.padding"),
    ):
        ran = export(source, tmp_path / "models", *arguments)
        assert ran.exit_code != 0
        assert told in " ".join(ran.output.split())


def test_a_run_is_exported(tmp_path: Path) -> None:
    """What `hondo train hed-lite` leaves becomes an edge detector with side outputs, its scores in the manifest."""
    torch.manual_seed(0)
    recipe = load("hed-lite")
    assert isinstance(recipe, EdgeRecipe)
    recipe = recipe.changed({"net.channels": "4", "trunk": "random"})
    folder, facts = tmp_path / "run", Facts(recipe=recipe, data=(DataSource(name="bsds500"),), seed=3)
    detector = Detector(recipe, seed=3)
    for side in detector.net.get_submodule("sides").children():
        torch.nn.init.normal_(side.get_parameter("weight"))
    (folder / run.CHECKPOINTS).mkdir(parents=True)
    told = {**facts.plain(), "library_versions": {"torch": str(torch.__version__)}, "epoch": 7}
    torch.save({"state_dict": detector.state_dict(), KEY: told}, run.checkpoint_path(folder, run.LAST))
    picture = Drawn("1", gradient(), np.zeros((1, *gradient().shape[:2]), np.bool_))
    score = Score(metric="ODS", value=0.75, unit="1", data="bsds500 test", samples=1)
    edges_run.finish(folder, [picture], EdgeResults(scores=(score,), seconds=1))

    ran = export(folder, tmp_path / "models")
    assert ran.exit_code == 0, ran.output
    read = artifact.read(tmp_path / "models" / "hed-lite" / "1")
    assert read.manifest.scores[0].value == 0.75
    assert read.manifest.provenance.seed == 3
    assert read.manifest.edge_detection.step_px == 32
    outputs = {given.name: given.shape for given in Session.open(read.graph_path(MODEL)).outputs}
    assert outputs == {"edges": ("N", "H", "W"), "side_edges": ("N", 5, "H", "W")}
    card = (read.folder / "README.md").read_text("utf-8")
    assert "| ODS | 0.75 | bsds500 test | 1 |" in card
    assert "hondo edges PICTURE.jpg --model hed-lite" in card
