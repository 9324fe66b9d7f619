"""ODS, OIS and AP from counts."""

import numpy as np
import pytest

from training.bsds import scores
from training.bsds.counts import Counts


def counts(*each: tuple[int, int, int, int]) -> Counts:
    """Gives counts of (predicted, right, drawn, found) at each threshold."""
    predicted, right, drawn, found = np.array(each).T
    return Counts(predicted, right, drawn, found)


def test_thresholds_leave_both_ends_out() -> None:
    """99 thresholds are the hundredths between 0 and 1."""
    assert scores.thresholds(99) == pytest.approx([k / 100 for k in range(1, 100)])
    assert scores.thresholds(1) == [0.5]


def test_one_threshold_for_all_pictures_or_one_for_each() -> None:
    """Worked out by hand: each picture is best at another threshold, so OIS is above ODS."""
    # F of the first: 1.0, then 0.5; of the second: 0.4, then 0.8.
    first = counts((10, 10, 10, 10), (10, 5, 10, 5))
    second = counts((10, 4, 10, 4), (10, 8, 10, 8))
    scored = scores.score([first, second], [0.3, 0.6])
    assert scored.ois == pytest.approx(0.9)
    assert scored.ods.f == pytest.approx(0.7)
    assert scored.ods.threshold == pytest.approx(0.3)
    assert [point.f for point in scored.curve] == pytest.approx([0.7, 0.65])


def test_the_best_threshold_may_lie_between_two() -> None:
    """Between thresholds precision and recall change evenly: of (1, 0.5) and (0.5, 1) the middle is best, F 0.75."""
    scored = scores.score([counts((100, 50, 100, 100), (100, 100, 100, 50))], [0.2, 0.4])
    assert scored.ods.f == pytest.approx(0.75)
    assert scored.ods.threshold == pytest.approx(0.3)
    assert scored.ois == pytest.approx(2 / 3)


def test_average_precision_is_the_area_under_the_curve() -> None:
    """Worked out by hand: precision falls from 1 at recall 0.195 to 0.5 at 0.705, and is 0 before and beyond."""
    scored = scores.score([counts((200, 100, 200, 141), (200, 200, 200, 39))], [0.2, 0.4])
    assert scored.ap == pytest.approx(51 * 0.75 * 0.01)


def test_nothing_predicted_scores_nothing() -> None:
    """A map without edges has neither precision nor recall, and no score but 0."""
    scored = scores.score([counts((0, 0, 10, 0), (0, 0, 10, 0))], [0.2, 0.4])
    assert (scored.ods.f, scored.ois, scored.ap) == (0, 0, 0)
