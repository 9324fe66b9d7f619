"""How well a captioner does on pictures that it was never trained on.

Legend: N pictures, H height, W width, C channels, P places.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor

from protos.manifest_pb2 import Score
from training.captions import features
from training.captions.reward import Reward
from training.captions.run import CaptionRun, Kept
from training.captions.saying import beam
from training.data.captioned import Captioned, until_end, words

_BATCH: Final = 50
# Widths of the beam; 1 takes the most probable word each time.
_WIDTHS: Final = (1, 3)
# Pictures that are kept.
_KEPT: Final = 100


def keep(run: CaptionRun, test: Captioned) -> Kept:
    """Gives some of the test pictures, to look at and to prove an export with."""
    first = test.first(_KEPT)
    return Kept(images_NHWC=_read(run, first).numpy(), captions=first.captions)


def examine(run: CaptionRun, test: Captioned, data: str) -> tuple[Score, ...]:
    """Gives CIDEr-D, as pycocoevalcap computes it, of captions of test pictures.

    Args:
        run: the net.
        test: pictures that it was never trained on.
        data: what they are.

    Raises:
        MissingData: a picture cannot be read.
    """
    judge = Reward([[words(caption) for caption in captions] for captions in test.captions])
    total = dict.fromkeys(_WIDTHS, 0.0)
    for picture, maps_1PC in enumerate(_maps(run, test)):
        for width in _WIDTHS:
            total[width] += judge.judge(picture, _said(run, maps_1PC, width))
    return tuple(
        Score(metric="CIDEr", value=total[width] / len(test), data=f"{data}, beam {width}", samples=len(test))
        for width in _WIDTHS
    )


@torch.inference_mode()
def _maps(run: CaptionRun, test: Captioned) -> Iterator[Tensor]:
    for start in range(0, len(test), _BATCH):
        yield from run.sight(run.front(_read(run, test.part(start, start + _BATCH)))).split(1)


def _read(run: CaptionRun, pictures: Captioned) -> Tensor:
    spec = run.facts.recipe.input.spec()
    return torch.from_numpy(np.stack([features.read(file, spec) for file in pictures.files]))


def _said(run: CaptionRun, maps_1PC: Tensor, width: int) -> list[str]:
    recipe = run.facts.recipe
    tokens = beam(run.net, maps_1PC, width, recipe.max_words, recipe.length_penalty)[0].tolist()
    return [run.facts.vocabulary[token] for token in until_end(tokens)]
