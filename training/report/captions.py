"""What a captioner says of pictures that it never saw, and where it looked at each word.

Legend: N pictures, H height, W width, C channels, P places, T words.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.captions.run import CaptionRun, Kept
from training.captions.saying import greedy
from training.data.captioned import START, until_end
from training.report import mosaic, page
from training.report.page import Section, grid, tile

_SHOWN: Final = 12
# Of them, with where it looked.
_LOOKED_AT: Final = 4
_IN_A_ROW: Final = 8
# Of a picture's side among others, on the page.
_SIDE_PX: Final = 112
# How much darker a place is that is not looked at.
_DARK: Final = 0.8


def section(run: CaptionRun, kept: Kept, out: Path) -> Section:
    """Shows some of the test pictures that were kept.

    Args:
        run: has the nets.
        kept: the pictures, and what people said of them.
        out: where the files go.
    """
    parts = []
    for number, image_HWC in enumerate(kept.images_NHWC[:_SHOWN]):
        said, attention_TP = _said(run, image_HWC)
        file, caption = f"caption-{number}.png", " ".join(said)
        mosaic.save(_pictures(image_HWC, attention_TP if number < _LOOKED_AT else None), _IN_A_ROW, out / file)
        people = "".join(f"<li>{page.escaped(each)}</li>" for each in kept.captions[number])
        parts.append(tile(file, caption, f"<b>{page.escaped(caption)}</b><ul>{people}</ul>"))
    return Section(
        title="What it says",
        about="The first test pictures, the net's most probable words, and below them what people said. Of the first "
        f"{_LOOKED_AT} it is shown where the net looked: after the picture itself, bright places at each word.",
        body=grid(parts, "beside"),
    )


@torch.inference_mode()
def _said(run: CaptionRun, image_HWC: NDArray[np.uint8]) -> tuple[list[str], NDArray[np.float32] | None]:
    """Gives the words, and where it looked at each, where it looks."""
    maps_1PC = run.sight(run.front(torch.from_numpy(image_HWC)[None]))
    said = until_end(greedy(run.net, maps_1PC, run.facts.recipe.max_words)[0].tolist())
    words = [run.facts.vocabulary[token] for token in said]
    return words, _looked(run, maps_1PC, said) if run.net.attends else None


def _looked(run: CaptionRun, maps_1PC: Tensor, said: Sequence[int]) -> NDArray[np.float32]:
    """Gives attention_TP at each word."""
    _, attention_11TP = run.net(maps_1PC, torch.tensor([[[START, *said[:-1]]]]))
    attention_TP: NDArray[np.float32] = attention_11TP[0, 0].numpy()
    return attention_TP


def _pictures(image_HWC: NDArray[np.uint8], attention_TP: NDArray[np.float32] | None) -> list[NDArray[np.uint8]]:
    """Gives the picture and, word by word, the picture with what is not looked at darkened."""
    picture = np.asarray(Image.fromarray(image_HWC).resize((_SIDE_PX, _SIDE_PX)))
    return [picture, *([] if attention_TP is None else [_lit(picture, attention_P) for attention_P in attention_TP])]


def _lit(image_HWC: NDArray[np.uint8], attention_P: NDArray[np.float32]) -> NDArray[np.uint8]:
    side = math.isqrt(len(attention_P))
    grid_HW = Image.fromarray((attention_P / attention_P.max()).reshape(side, side))
    share_HW = np.asarray(grid_HW.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC)).clip(0, 1)
    lit_HWC: NDArray[np.uint8] = np.rint(image_HWC * (1 - _DARK + _DARK * share_HW[:, :, None])).astype(np.uint8)
    return lit_HWC
