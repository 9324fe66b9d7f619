"""How captions are judged."""

import math

import pytest

from training.captions.reward import Reward

DOG = ["a", "dog", "runs"]
CAT = ["the", "cat", "sleeps", "here"]


def test_a_reference_itself_is_worth_most() -> None:
    """A caption equal to the only reference, of words that no other picture has, has a cosine of 1 for each length."""
    reward = Reward([[DOG], [CAT]])
    # Of four words and more there is none in three: the fourth length counts 0.
    assert reward.judge(0, DOG) == pytest.approx(10 * 3 / 4)
    assert reward.judge(1, CAT) == pytest.approx(10)


def test_what_all_pictures_have_is_worth_nothing() -> None:
    """Words that every picture's references have weigh nothing."""
    reward = Reward([[["a", "dog"]], [["a", "cat"]]])
    assert reward.judge(0, ["a"]) == 0
    assert reward.judge(0, ["dog"]) > 0


def test_worked_by_hand() -> None:
    """One of two words right, of as many words: half the norms' product, of one length in four."""
    reward = Reward([[["red", "dog"]], [["blue", "cat"]]])
    weight = math.log(2)
    cosine = weight * weight / (math.sqrt(2) * weight * math.sqrt(2) * weight)
    assert reward.judge(0, ["red", "sofa"]) == pytest.approx(10 * cosine / 4)


def test_repeating_a_word_gains_nothing() -> None:
    """A word said twice counts as often as the reference has it, and makes the caption longer."""
    reward = Reward([[["dog"]], [["cat"]]])
    assert reward.judge(0, ["dog", "dog"]) < reward.judge(0, ["dog"])


def test_length_is_part_of_it() -> None:
    """What is right but of another length is worth less: a bell of deviation 6 words."""
    reward = Reward([[["dog"] + ["a"] * 6], [["cat"] + ["a"] * 6]])
    short, same = reward.judge(0, ["dog"]), reward.judge(0, ["dog"] + ["a"] * 6)
    assert short / same == pytest.approx(math.exp(-36 / 72) / 4 / (same / 10), rel=1e-6)


def test_is_the_mean_over_references() -> None:
    """Each reference counts alike."""
    reward = Reward([[DOG, CAT], [["x"]]])
    assert reward.judge(0, CAT) == pytest.approx(10 / 2)


def test_nothing_said_is_worth_nothing() -> None:
    """An empty caption gets 0."""
    assert Reward([[DOG], [CAT]]).judge(0, []) == 0
