"""Legend: N texts, T words, K classes."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.report import runs
from training.data.dataset import Examples
from training.report import words
from training.run import Run

UNKNOWN = 1


class Bag(nn.Module):
    """Logits [0, z] with z the sum of the words' weights: 3 for "who", -1 for "what", else 0."""

    def forward(self, tokens_NT: Tensor) -> Tensor:
        """Gives logits_NK."""
        weights = torch.zeros(len(runs.WORDS))
        weights[runs.WORDS.index("who")], weights[runs.WORDS.index("what")] = 3, -1
        logit_N = weights[tokens_NT].sum(1)
        return torch.stack([torch.zeros_like(logit_N), logit_N], dim=1)


def sigmoid(z: float) -> float:
    """Gives 1 / (1 + exp(-z))."""
    return 1 / (1 + math.exp(-z))


def bag(*texts: str, labels: list[int]) -> Run:
    """Gives a run with that net and these texts."""
    return runs.made(Bag(), runs.of_texts(6), Examples(runs.tokens(*texts), np.array(labels)))


def test_weighs_by_leaving_out() -> None:
    """A word's weight is by how much the answer's probability falls without it; below 0 it speaks against it."""
    made = bag("who is what", labels=[1])
    found = words.weigh(made, made.samples.inputs[0])
    assert [word.text for word in found] == ["who", "is", "what"]
    expected = [sigmoid(2) - sigmoid(-1), 0, sigmoid(2) - sigmoid(3)]
    assert [word.weight for word in found] == pytest.approx(expected, abs=1e-6)


def test_a_full_text_has_all_its_words() -> None:
    """A text without padding, and one of a single word, are weighed as well."""
    made = bag("is is is is is who", "what", labels=[1, 0])
    assert [word.text for word in words.weigh(made, made.samples.inputs[0])] == ["is"] * 5 + ["who"]
    (alone,) = words.weigh(made, made.samples.inputs[1])
    assert alone.weight == pytest.approx(sigmoid(1) - 0.5, abs=1e-6)


def test_shows_mistakes_and_right_answers() -> None:
    """The worst mistakes come first, then right answers of as many classes as there are; unknown words are marked."""
    made = bag("who is it", "what is it", "who", labels=[0, 0, 1])
    made.samples.inputs[1, 1] = UNKNOWN
    section = words.section(made, runs.reviewed(made))
    mistakes, right = section.body.split("Some right answers")
    assert mistakes.count('class="sentence"') == 1
    assert 'answer <span class="wrong">b</span> 95&nbsp;%' in mistakes
    assert right.count('class="sentence"') == 2
    assert ">···</span>" in right
    assert 'class="word for" style="--share: 0.54"' in mistakes
