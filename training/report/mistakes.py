"""The worst mistakes: examples whose true class the net gave least.

Legend: M mistakes, T answers or words, F columns, H height, W width, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from protos.manifest_pb2 import Classification
from training.report import page
from training.report.page import Section
from training.review import Review

# A table's columns beyond these are left out.
_MOST_COLUMNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What an example is, what it was taken for, and the probability of each."""

    truth: str
    answer: str
    truth_share: float
    answer_share: float

    def html(self, between: str) -> str:
        """Gives it in a few words, with some HTML between answer and truth."""
        return (
            f'answer <span class="wrong">{escape(self.answer)}</span> {percent(self.answer_share)}{between}'
            f'truth <span class="right">{escape(self.truth)}</span> {percent(self.truth_share)}'
        )


def percent(share: float) -> str:
    """Gives a probability as HTML."""
    value = 100 * share
    digits = f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else "&lt;&nbsp;0.1"
    return f"{digits}&nbsp;%"


def mistakes(review: Review, labels: Sequence[str]) -> list[Mistake]:
    """Gives the mistakes whose examples the review has."""
    answers = review.answers
    return [
        Mistake(
            truth=labels[answers.labels_N[number]],
            answer=labels[answers.classes_NT[number, 0]],
            truth_share=float(answers.true_probability_N[number]),
            answer_share=float(answers.probability_NT[number, 0]),
        )
        for number in answers.worst()[: len(review.worst)]
    ]


def section(review: Review, task: Classification, folder: Path) -> Section | None:
    """Shows the mistakes with pictures or rows; None where there is none, or where they are texts."""
    made = mistakes(review, task.labels)
    if not made:
        return None
    match task.WhichOneof("input"):
        case "image":
            body = page.grid(_tiles(made, review, folder))
        case "table":
            body = _table(made, review, task.table.columns)
        case _:
            return None
    return Section(
        title="Its worst mistakes",
        about="The test examples whose true class was given the least probability, that first: what was answered, what "
        "is true, and how probable the net held each. Some may be labelled wrongly.",
        body=body,
    )


def _tiles(made: Sequence[Mistake], review: Review, folder: Path) -> list[str]:
    tiles = []
    for number, (mistake, image_HWC) in enumerate(zip(made, review.worst.inputs, strict=True), start=1):
        file = f"mistake-{number}.png"
        Image.fromarray(image_HWC.squeeze(2) if image_HWC.shape[2] == 1 else image_HWC).save(folder / file)
        tiles.append(page.tile(file, f"{mistake.truth}, taken for {mistake.answer}", mistake.html("<br>")))
    return tiles


def _table(made: Sequence[Mistake], review: Review, columns: Sequence[str]) -> str:
    head = ["truth", "probability", "answer", "probability", *columns[:_MOST_COLUMNS]]
    rows = [
        [m.truth, f"{100 * m.truth_share:.1f} %", m.answer, f"{100 * m.answer_share:.1f} %", *_numbers(values_F)]
        for m, values_F in zip(made, review.worst.inputs, strict=True)
    ]
    return page.table(head, rows, numbers={1, 3, *range(4, len(head))})


def _numbers(values_F: NDArray[np.float32]) -> list[str]:
    return [f"{value:.4g}" for value in values_F[:_MOST_COLUMNS]]
