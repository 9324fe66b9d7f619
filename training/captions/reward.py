"""CIDEr-D: how much a caption says that many people said of the picture, and few of others.

Vedantam, Zitnick, Parikh, "CIDEr: consensus-based image description evaluation", 2015, 3 and 5 (CIDEr-D). The weights
of word groups come from a set of captions that is given once, so that a caption can be judged by itself.

Legend: G groups of words.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

Group = tuple[str, ...]

_LONGEST: Final = 4
# Deviation of the lengths' differences, words.
_SIGMA: Final = 6.0
# As all implementations scale it.
_SCALE: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A caption's groups of words, of each length, by how much they tell."""

    words: int
    groups: tuple[dict[Group, float], ...]
    norms: tuple[float, ...]


class Reward:
    """Judges captions against references.

    Args:
        pictures: the references of each picture, words, from which it is counted how common each group of words is.
    """

    def __init__(self, pictures: Sequence[Sequence[Sequence[str]]]) -> None:
        counts: Counter[Group] = Counter()
        for references in pictures:
            counts.update({group for words in references for group in _groups(words)})
        self._total = math.log(max(2, len(pictures)))
        self._log_counts = {group: math.log(count) for group, count in counts.items()}
        self._references = [[self._weighed(words) for words in references] for references in pictures]

    def judge(self, picture: int, words: Sequence[str]) -> float:
        """Gives how good a caption of one of the pictures is, from 0 to 10."""
        mine = self._weighed(words)
        references = self._references[picture]
        return _SCALE * sum(_likeness(mine, other) for other in references) / len(references)

    def _weighed(self, words: Sequence[str]) -> _Weighed:
        groups: tuple[dict[Group, float], ...] = tuple({} for _ in range(_LONGEST))
        for group, count in _groups(words).items():
            groups[len(group) - 1][group] = count * (self._total - self._log_counts.get(group, 0.0))
        norms = tuple(math.sqrt(sum(weight * weight for weight in each.values())) for each in groups)
        return _Weighed(len(words), groups, norms)


def _groups(words: Sequence[str]) -> Counter[Group]:
    return Counter(_runs(words))


def _runs(words: Sequence[str]) -> Iterable[Group]:
    return (
        tuple(words[start : start + length])
        for length in range(1, _LONGEST + 1)
        for start in range(len(words) - length + 1)
    )


def _likeness(mine: _Weighed, other: _Weighed) -> float:
    """Gives the mean over lengths of the cosine, each weight of mine cut to the other's, less for other lengths."""
    total = 0.0
    for groups, others, norm, other_norm in zip(mine.groups, other.groups, mine.norms, other.norms, strict=True):
        if norm and other_norm:
            shared = sum(
                min(weight, others[group]) * others[group] for group, weight in groups.items() if group in others
            )
            total += shared / (norm * other_norm)
    return total / _LONGEST * math.exp(-((mine.words - other.words) ** 2) / (2 * _SIGMA**2))
