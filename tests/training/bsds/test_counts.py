"""What a map has right, beside several people."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.bsds.drawings import placed
from training.bsds import counts
from training.bsds.counts import Counts

HEIGHT, WIDTH = 300, 400
LEFT = [(row, 50) for row in range(100, 120)]
RIGHT = [(row, 90) for row in range(100, 120)]
FAR = [(row, 300) for row in range(100, 120)]


def test_a_pixel_is_right_where_anybody_drew_it_and_found_for_each() -> None:
    """Worked out by hand: two people drew the left line, one of them the right line too; a far line nobody drew."""
    people = np.stack([placed(HEIGHT, WIDTH, *LEFT), placed(HEIGHT, WIDTH, *LEFT, *RIGHT)])
    map_HW = np.zeros((HEIGHT, WIDTH), np.float32)
    for line, strength in ((LEFT, 0.9), (FAR, 0.6), (RIGHT, 0.3)):
        for pixel in line:
            map_HW[pixel] = strength
    counted = counts.of_map(map_HW, people, [0.25, 0.5, 0.75, 0.95])
    assert counted.predicted_K.tolist() == [60, 40, 20, 0]
    assert counted.right_K.tolist() == [40, 20, 20, 0]
    assert counted.drawn_K.tolist() == [60] * 4
    assert counted.found_K.tolist() == [60, 40, 40, 0]
    assert counted.precision.tolist() == pytest.approx([2 / 3, 1 / 2, 1, 0])
    assert counted.recall.tolist() == pytest.approx([1, 2 / 3, 2 / 3, 0])


def test_what_is_predicted_at_a_threshold_is_thinned() -> None:
    """Three columns beside each other are one line: what is left of them is as long as what was drawn, but its ends."""
    map_HW = np.zeros((HEIGHT, WIDTH), np.float32)
    map_HW[100:120, 49:52] = 1
    counted = counts.of_map(map_HW, placed(HEIGHT, WIDTH, *LEFT)[np.newaxis], [0.5])
    assert counted.predicted_K.tolist() == counted.right_K.tolist() == counted.found_K.tolist() == [18]
    assert counted.drawn_K.tolist() == [20]


def test_a_person_is_held_against_the_others() -> None:
    """Worked out by hand: what one drew is the prediction, what the others drew the truth."""
    people = np.stack([placed(HEIGHT, WIDTH, *line) for line in ([*LEFT, *FAR], LEFT, [*LEFT, *RIGHT])])
    counted = counts.of_person(people, 0)
    assert (counted.predicted_K.tolist(), counted.right_K.tolist()) == ([40], [20])
    assert (counted.drawn_K.tolist(), counted.found_K.tolist()) == ([60], [40])


def test_pictures_add_up() -> None:
    """Counts of several pictures are added threshold by threshold."""
    one = Counts(np.array([4, 2]), np.array([3, 1]), np.array([9, 9]), np.array([5, 1]))
    both = counts.together([one, one])
    assert both.predicted_K.tolist() == [8, 4]
    assert both.right_K.tolist() == [6, 2]
    assert both.drawn_K.tolist() == [18, 18]
    assert both.found_K.tolist() == [10, 2]
    assert one.at(1).predicted_K.tolist() == [2]


def test_the_benchmarks_own_program_counts_the_same() -> None:
    """Of made-up curves, kept beside this test, as many pixels are right and found, but for those it draws by lot."""
    with np.load(Path(__file__).with_name("matched.npz")) as kept:
        drawn_AHW = np.unpackbits(kept["drawn"], axis=2).astype(np.bool_)
        predicted_KHW = np.unpackbits(kept["predicted"], axis=2).astype(np.bool_)
        expected_K4 = kept["counts"]
    for predicted_HW, expected in zip(predicted_KHW, expected_K4.tolist(), strict=True):
        counted = counts.of_map(predicted_HW.astype(np.float32), drawn_AHW, [0.5])
        predicted, right, drawn, found = expected
        assert counted.predicted_K.tolist() == [predicted]
        assert counted.drawn_K.tolist() == [drawn]
        # It misses a partner now and then, and never has one too many.
        assert found <= counted.found_K[0] <= 1.002 * found
        assert counted.right_K[0] == pytest.approx(right, rel=5e-3)
