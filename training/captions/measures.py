"""How good captions are, by the measures of the COCO caption evaluation, in pycocoevalcap's own code.

Of that package only what is pure Python is used. Its tokeniser, METEOR and SPICE are Java; captions are cut into words
by `training.data.captioned.words` instead, those of people and of models alike.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hondo.errors import MissingData
from training.data.captioned import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What captions come to."""

    # By name: BLEU-1 to BLEU-4 (Papineni et al. 2002), ROUGE-L (Lin 2004), CIDEr (CIDEr-D of Vedantam et al. 2015,
    # times 10, as it is always told).
    scores: Mapping[str, float]
    # Of each caption.
    cider: Sequence[float]


def measure(said: Sequence[str], people: Sequence[Sequence[str]]) -> Measured:
    """Measures captions.

    Args:
        said: one of each picture.
        people: what people said of each.

    Raises:
        MissingData: pycocoevalcap is not installed.
    """
    try:
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    except ModuleNotFoundError as error:
        raise MissingData(f"captions are measured by the package {error.name}: pip install 'hondo[scores]'") from error
    ours = {place: [_cut(caption)] for place, caption in enumerate(said)}
    theirs = {place: [_cut(each) for each in captions] for place, captions in enumerate(people)}
    # It prints lengths.
    with contextlib.redirect_stdout(io.StringIO()):
        bleu, _ = Bleu(4).compute_score(theirs, ours)
        rouge, _ = Rouge().compute_score(theirs, ours)
        cider, each = Cider().compute_score(theirs, ours)
    names = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr")
    scores = dict(zip(names, (*map(float, bleu), float(rouge), float(cider)), strict=True))
    return Measured(scores=scores, cider=[float(score) for score in each])


def _cut(caption: str) -> str:
    return " ".join(words(caption))
