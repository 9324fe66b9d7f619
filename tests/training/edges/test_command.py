"""A short training of the light net on made-up pictures, and what it leaves."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import hondo
from training import checkpoint, pretrained, run
from training.edges import fit
from training.edges import run as edges_run
from training.edges.recipe import EdgeRecipe
from training.recipe import load

SMALL = (
    *("--set", "trunk=random", "--set", "crops.side_px=32", "--set", "net.channels=4"),
    *("--set", "validation_pictures=2", "--set", "precision=32-true", "--batch-size", "2"),
)


@pytest.fixture(scope="module")
def trained(bsds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder."""
    folder = tmp_path_factory.mktemp("run") / "edges"
    result = hondo("train", "hed-lite", "--data", bsds, "--out", folder, "--epochs", "2", *SMALL)
    assert result.exit_code == 0, result.output
    assert "3 pictures to train on, 2 to validate with; 2 to test on" in result.output
    assert "test ODS" in result.output
    return folder


def test_a_run_knows_how_it_was_made(trained: Path) -> None:
    """Recipe, data, seed and scores are in the folder, and the net gives maps from 0 to 1."""
    loaded = edges_run.load(trained)
    assert loaded.facts.recipe.epochs == loaded.epoch == 2
    assert [source.name for source in loaded.facts.data] == ["bsds500"]
    assert [score.metric for score in loaded.scores] == ["ODS", "OIS", "AP"]
    assert all(0 <= score.value <= 1 and score.samples == 2 for score in loaded.scores)
    maps_1MHW = loaded.maps(loaded.front(torch.zeros(1, 17, 16, 3, dtype=torch.uint8)))
    assert maps_1MHW.shape == (1, 6, 17, 16)
    assert 0 < maps_1MHW.min() <= maps_1MHW.max() < 1


def test_a_run_keeps_test_pictures(trained: Path) -> None:
    """They come back as they were, with what people drew."""
    (first, _) = edges_run.read_drawn(trained)
    assert first.name == "6"
    assert first.boundaries_AHW.dtype == np.bool_
    assert first.image_HWC.shape[:2] == first.boundaries_AHW.shape[1:]


def test_the_report_shows_all_maps(trained: Path) -> None:
    """The page has the curves, and of each test picture the maps of every scale."""
    page = (trained / "report" / "index.html").read_text("utf-8")
    assert "Validation F by epoch" in page
    assert "edges-6.png" in page
    assert (trained / "report" / "edges-7.png").is_file()


def test_a_run_can_be_summarised(trained: Path) -> None:
    """Layers and sums are shown, for a picture of the benchmark's size."""
    result = hondo("summary", trained)
    assert result.exit_code == 0, result.output
    assert "picture of any size, here 321 x 481 x 3" in result.output
    assert "trunk._conv_stem" in result.output


def test_resuming_ends_where_an_unbroken_run_does(bsds: Path, trained: Path, tmp_path: Path) -> None:
    """A run that is cut off after its first epoch and resumed has the same weights in the end."""
    folder = tmp_path / "run"
    arguments = ("train", "hed-lite", "--data", bsds, "--out", folder, "--epochs", "2", *SMALL)
    assert hondo(*arguments).exit_code == 0
    (folder / run.RESULTS).unlink()
    (folder / run.DRAWN).unlink()
    first, second = (run.checkpoint_path(each, run.LAST) for each in (folder, trained))
    assert hondo(*arguments).exit_code == 2, "there is a run already"
    refused = hondo(*arguments, "--resume", "--set", "agreement=0.6")
    assert refused.exit_code == 2
    assert "recipe.agreement is 0.6, was 0.3" in refused.output
    resumed = hondo(*arguments, "--resume")
    assert resumed.exit_code == 0, resumed.output
    mine, theirs = (checkpoint.read_plain(path)[1] for path in (first, second))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_needs_the_data_it_is_made_for(tmp_path: Path) -> None:
    """Without BSDS500 it says what is looked for."""
    assert "groundtruth_train.npz" in hondo("train", "hed-lite").output
    result = hondo("train", "hed-lite", "--data", tmp_path)
    assert result.exit_code == 1
    assert "no BSDS500 is in" in result.output


def test_the_trunk_begins_with_imagenets_weights() -> None:
    """The light net's first weights are those of the package; the others are the net's own."""
    recipe = load("hed-lite")
    assert isinstance(recipe, EdgeRecipe)
    weights = torch.load(pretrained.path(fit.TRUNK), map_location="cpu", weights_only=True)
    detector = fit.untrained(recipe, seed=0)
    assert torch.equal(detector.net.state_dict()["trunk._conv_stem.weight"], weights["_conv_stem.weight"])


def test_a_trunk_that_does_not_fit_is_refused(tmp_path: Path, bsds: Path) -> None:
    """A missing file, weights of another net, and a package that there is none of are told."""
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    for model, trunk, told in (
        ("hed", tmp_path / "no.pth", "there is no file"),
        ("hed", tmp_path / "other.pth", "does not hold the weights of this trunk"),
        ("hed", "package", "no package ships weights"),
    ):
        result = hondo(
            *("train", model, "--data", bsds, "--out", tmp_path / "run", "--overwrite", "--set", f"trunk={trunk}"),
            *("--set", "validation_pictures=2"),
        )
        assert result.exit_code == 1
        assert told in result.output


def test_settings_are_printed_and_changed() -> None:
    """--settings gives JSON, with what --set changed."""
    result = hondo("train", "hed-lite", "--settings", "--set", "crops.scale=[1, 2]", "--epochs", "3")
    settings = json.loads(result.output)
    assert (settings["epochs"], settings["crops"]["scale"]) == (3, [1.0, 2.0])
    assert "did you mean crops.scale" in hondo("train", "hed-lite", "--settings", "--set", "crops.scal=1").output


def test_what_has_nothing_to_learn_is_not_trained() -> None:
    """The command tells which one makes an artifact of it."""
    result = hondo("train", "sobel")
    assert result.exit_code == 2
    assert "hondo export sobel" in result.output
