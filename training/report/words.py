"""Which words of a text an answer hangs on: how the answer's probability changes when one is left out.

Li, Monroe, Jurafsky, "Understanding neural networks through representation erasure", 2016, section 2.

Legend: N texts, T words, S sentences, V variants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.text import PADDING, UNKNOWN
from training.answers import probabilities
from training.report.mistakes import mistakes, percent
from training.report.page import Section, heading
from training.review import Review
from training.run import Run

_MOST_MISTAKES: Final = 12
_MOST_RIGHT: Final = 8
# A change by so much has the full colour.
_FULL_COLOUR: Final = 0.5
# The full colour still lets the word be read.
_OPAQUE: Final = 0.6
_UNKNOWN: Final = "···"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of a text, and what it does for the answer."""

    text: str
    # By how much the answer's probability falls when the word is left out; below 0 it rises.
    weight: float


def section(trained: Run, review: Review) -> Section:
    """Shows the worst mistakes and some right answers with their words coloured."""
    samples, labels = trained.samples, trained.task.labels
    made = mistakes(review, labels)[:_MOST_MISTAKES]
    parts = [heading("The worst mistakes, the worst first")] if made else []
    for mistake, tokens_T in zip(made, review.worst.inputs, strict=False):
        parts.append(_sentence(weigh(trained, tokens_T), mistake.html(", ")))
    parts.append(heading("Some right answers"))
    for number in _varied(review.right(len(samples)), samples.labels_N):
        label, share = labels[samples.labels_N[number]], float(review.answers.probability_NT[number, 0])
        caption = f'<span class="right">{escape(label)}</span> {percent(share)}'
        parts.append(_sentence(weigh(trained, samples.inputs[number]), caption))
    return Section(
        title="Which words it goes by",
        about="Each word is coloured by how much the answer's probability changes when it is left out: blue words "
        f"speak for the answer, orange ones against it; the colour is full at {100 * _FULL_COLOUR:.0f} %. Words that "
        f"training never saw are shown as {_UNKNOWN}.",
        body="".join(parts),
    )


def _varied(positions: Sequence[int], labels_N: NDArray[np.int64]) -> list[int]:
    """Gives some positions: the first of each class, then the first of the others."""
    firsts = {int(labels_N[position]): position for position in reversed(positions)}
    return sorted(positions, key=lambda position: (position not in firsts.values(), position))[:_MOST_RIGHT]


def weigh(trained: Run, tokens_T: NDArray[np.int64]) -> list[Word]:
    """Gives the words of a text and what each does for the answer."""
    count = int((tokens_T != PADDING).sum())
    without_VT = np.stack([tokens_T, *(_without(tokens_T, place) for place in range(count))])
    probability_VK = probabilities(trained.front, trained.net, without_VT)
    answer = int(probability_VK[0].argmax())
    weights = probability_VK[0, answer] - probability_VK[1:, answer]
    vocabulary = trained.task.text.vocabulary
    names = [_UNKNOWN if token == UNKNOWN else vocabulary[token] for token in tokens_T[:count]]
    return [Word(text=name, weight=float(weight)) for name, weight in zip(names, weights, strict=True)]


def _without(tokens_T: NDArray[np.int64], place: int) -> NDArray[np.int64]:
    return np.append(np.delete(tokens_T, place), PADDING)


def _sentence(words: Sequence[Word], caption: str) -> str:
    shown = " ".join(_word(word) for word in words)
    return f'<div class="sentence"><p>{shown}</p><div>{caption}</div></div>'


def _word(word: Word) -> str:
    share = min(1.0, abs(word.weight) / _FULL_COLOUR) * _OPAQUE
    kind = "for" if word.weight > 0 else "against"
    return (
        f'<span class="word {kind}" style="--share: {share:.2f}" title="{word.weight:+.0%}">{escape(word.text)}</span>'
    )
