"""What the published graphs' captions are worth, by the session that serves.

Legend: N pictures, H height, W width, C channels, T tokens.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.captions.describer import Describer
from export.captions.gate import ended, greedy
from hondo.errors import AccuracyError
from protos.manifest_pb2 import Captioning, Score
from training.captions.reward import Reward
from training.captions.run import Kept
from training.data.captioned import words

# Smaller numbers may cost so much CIDEr: captions of a hundred pictures differ by more from one training to the next.
MAX_FALL: Final = 0.02
_BATCH: Final = 16


def captions(describer: Describer, task: Captioning, image_NHWC: NDArray[np.uint8]) -> list[list[str]]:
    """Gives the words of each picture's caption, the most probable one at each place."""
    said: list[list[str]] = []
    for first in range(0, len(image_NHWC), _BATCH):
        images = image_NHWC[first : first + _BATCH]
        start_N = np.full(len(images), task.start, np.int64)
        tokens_NT = describer.say(describer.look(images), start_N, greedy(len(images), task.max_words)).tokens_NT
        said += [spoken(task, tokens_T) for tokens_T in ended(tokens_NT, task.end).tolist()]
    return said


def spoken(task: Captioning, tokens_T: Sequence[int]) -> list[str]:
    """Gives the words of a caption up to its end."""
    count = tokens_T.index(task.end) if task.end in tokens_T else len(tokens_T)
    return [task.vocabulary[token] for token in tokens_T[:count]]


def cider(said: Sequence[Sequence[str]], kept: Kept, data: str) -> Score:
    """Gives CIDEr-D of captions, as `training.captions.exam` has it."""
    judge = Reward([[words(caption) for caption in of_one] for of_one in kept.captions])
    value = sum(judge.judge(picture, caption) for picture, caption in enumerate(said)) / len(said)
    return Score(metric="CIDEr", value=value, data=data, samples=len(said))


def check(full: Score, lowered: Score) -> None:
    """Holds that smaller numbers make captions about as good.

    Raises:
        AccuracyError: they do not.
    """
    fall = full.value - lowered.value
    # What is no number must not pass because it compares false.
    if not fall <= MAX_FALL:
        raise AccuracyError(
            f"CIDEr is {lowered.value:.4f}, {full.value:.4f} in 32-bit floats: {fall:.4f} less, at most {MAX_FALL:g} "
            "is allowed"
        )
