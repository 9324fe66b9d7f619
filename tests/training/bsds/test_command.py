"""`hondo evaluate edges` on a real server and a small data set in the benchmark's form.

Legend: A annotators, H height, W width.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hondo.suppression import thinned
from tests.serving import edges
from tests.serving.process import Process
from tests.training.conftest import hondo
from training.bsds import counts, scores
from training.bsds.counts import Counts

NAMES = ("100", "200", "300")
LEVELS = 9


def picture(number: int) -> NDArray[np.uint8]:
    """Gives a picture of blocks, whose edges are where they meet."""
    shades = np.random.default_rng(number).integers(0, 256, (5, 6), np.uint8)
    grey_HW = shades.repeat(12, axis=0).repeat(12, axis=1)
    return np.stack([grey_HW] * 3, axis=2)


def people(number: int) -> NDArray[np.bool_]:
    """Gives what two people drew, boundaries_AHW: all upright edges, or those of the upper half."""
    drawn_AHW = np.zeros((2, 60, 72), np.bool_)
    drawn_AHW[0, :, 12::12] = drawn_AHW[1, : 30 + number, 12::12] = True
    return drawn_AHW


@pytest.fixture
def bsds(tmp_path: Path) -> Path:
    """A folder of three test pictures."""
    folder = tmp_path / "bsds500"
    (folder / "images" / "test").mkdir(parents=True)
    bits = []
    for number, name in enumerate(NAMES):
        Image.fromarray(picture(number)).save(folder / "images" / "test" / f"{name}.jpg", quality=95)
        bits += [np.packbits(drawn_HW) for drawn_HW in people(number)]
    arrays = {"ids": np.array(NAMES), "height": np.full(3, 60), "width": np.full(3, 72), "annotators": np.full(3, 2)}
    np.savez(folder / "groundtruth_test.npz", **arrays, bits=np.concatenate(bits), allow_pickle=False)
    return folder


def by_hand(folder: Path, *, thin: bool) -> list[Counts]:
    """Counts what the detector's own arithmetic finds."""
    counted = []
    for number, name in enumerate(NAMES):
        with Image.open(folder / "images" / "test" / f"{name}.jpg") as image:
            map_HW = edges.edges(np.asarray(image)[np.newaxis])[0]
        map_HW = thinned(map_HW) if thin else map_HW
        counted.append(counts.of_map(map_HW, people(number), scores.thresholds(LEVELS)))
    return counted


def evaluate(server: Process, folder: Path, *options: object) -> str:
    arguments = ("--data", folder, "--thresholds", LEVELS, "--processes", 2, "--server", server.address)
    result = hondo("evaluate", "edges", "edgy", *arguments, *options)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("thin", [True, False])
def test_a_served_detector_is_scored(server: Process, bsds: Path, thin: bool) -> None:
    """The scores are those of the maps that the server gives, thinned or not, over all pictures."""
    found = json.loads(evaluate(server, bsds, "--json", *([] if thin else ["--no-thin"])))
    expected = scores.score(by_hand(bsds, thin=thin), scores.thresholds(LEVELS))
    assert (found["model"], found["version"], found["data"], found["pictures"]) == ("edgy", 1, "bsds500 test", 3)
    assert (found["thresholds"], found["thinned"]) == (LEVELS, thin)
    assert found["ods"] == pytest.approx(expected.ods.f)
    assert found["ois"] == pytest.approx(expected.ois)
    assert found["ap"] == pytest.approx(expected.ap)
    assert [each["recall"] for each in found["curve"]] == pytest.approx([each.recall for each in expected.curve])
    assert 0 < found["ods"] < 1


def test_scores_are_told_to_people_and_drawn(server: Process, bsds: Path, tmp_path: Path) -> None:
    """The text says on what and how it was measured; the plot is a picture."""
    text = evaluate(server, bsds, "--pictures", 2, "--plot", tmp_path / "curve.png")
    expected = scores.score(by_hand(bsds, thin=True)[:2], scores.thresholds(LEVELS))
    assert "edgy version 1 on BSDS500 test: 2 pictures, 9 thresholds, maps thinned by non-maximum suppression" in text
    assert f"ODS {expected.ods.f:.3f}" in text
    assert f"OIS {expected.ois:.3f}" in text
    assert "people 0.803" in text
    with Image.open(tmp_path / "curve.png") as image:
        assert image.size == (900, 900)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["edges", "side", "--data", "{bsds}"], "'side' is no edge detector"),
        (["edges", "nobody", "--data", "{bsds}"], "there is no model 'nobody'"),
        (["edges", "edgy", "--data", "{bsds}/images"], "groundtruth_test.npz is missing"),
        (["edges", "edgy", "--data", "{bsds}", "--split", "train"], "groundtruth_train.npz is missing"),
    ],
)
def test_what_cannot_be_scored_is_refused(server: Process, bsds: Path, arguments: list[str], text: str) -> None:
    """A model of another task, or data that is not there, ends the command with the reason."""
    given = [argument.format(bsds=bsds) for argument in arguments]
    result = hondo("evaluate", *given, "--server", server.address)
    assert result.exit_code == 1
    assert text in result.output


def test_a_classifier_needs_no_task_named() -> None:
    """`hondo evaluate MODEL` is about a classifier, whichever way it is written; its help lists the other task."""
    assert "Missing option '--data'" in hondo("evaluate", "side").output
    assert "Missing option '--data'" in hondo("evaluate", "classifier", "edges").output
    assert "edges" in hondo("evaluate", "--help").output
