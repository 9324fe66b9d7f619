"""What a net answers to examples whose classes are known, and how good that is.

Legend: N examples, M wrong answers, T answers, K classes.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.losses import widened

_BATCH: Final = 200
# Larger examples go through the net in smaller batches.
_BATCH_VALUES: Final = 8_000_000
_MOST_ANSWERS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """The most probable classes of each example, and what its true class was given."""

    labels_N: NDArray[np.int64]
    # The most probable first.
    classes_NT: NDArray[np.int64]
    probability_NT: NDArray[np.float32]
    true_probability_N: NDArray[np.float32]

    def wrong(self) -> NDArray[np.bool_]:
        """Says of each answer whether it is wrong."""
        wrong_N: NDArray[np.bool_] = self.classes_NT[:, 0] != self.labels_N
        return wrong_N

    def losses(self) -> NDArray[np.float32]:
        """Gives the cross-entropy of each: -log of what the true class was given, in nats."""
        loss_N: NDArray[np.float32] = -np.log(np.maximum(self.true_probability_N, np.finfo(np.float32).tiny))
        return loss_N

    def worst(self) -> NDArray[np.int64]:
        """Gives the positions of the wrong answers, those first that gave the true class least."""
        wrong_M = np.flatnonzero(self.wrong())
        worst_M: NDArray[np.int64] = wrong_M[np.argsort(-self.losses()[wrong_M], kind="stable")]
        return worst_M


def judge(probability_NK: NDArray[np.float32], labels_N: NDArray[np.int64]) -> Answers:
    """Gives the answers that these probabilities are."""
    classes_NT = np.argsort(-probability_NK, axis=1, kind="stable")[:, :_MOST_ANSWERS]
    return Answers(
        labels_N=labels_N,
        classes_NT=classes_NT,
        probability_NT=np.take_along_axis(probability_NK, classes_NT, axis=1),
        true_probability_N=probability_NK[np.arange(len(labels_N)), labels_N],
    )


def probabilities(front: nn.Module, net: nn.Module, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Gives the probability f32[N,K] of each class for examples, which are what the served graph takes."""
    count = max(1, min(_BATCH, _BATCH_VALUES // inputs[0].size))
    with torch.inference_mode():
        batches = [torch.tensor(inputs[start : start + count]) for start in range(0, len(inputs), count)]
        answered = [torch.softmax(widened(net(front(batch)).float()), dim=1) for batch in batches]
        return torch.cat(answered).numpy()
