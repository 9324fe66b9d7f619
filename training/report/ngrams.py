"""Which words the filters of a text net look for: the places where each answered most.

Legend: N texts, T words, F filters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hondo.text import PADDING, UNKNOWN
from training.report.page import Section, heading, table
from training.run import Run

_FILTERS: Final = 12
_PLACES: Final = ("most", "second", "third", "fourth")
_NOTHING: Final = "_"


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """The filters of one width, and what they answered."""

    # How many words they see at once.
    width: int
    # The highest answer in each text, and the first of its words, which may lie before the text.
    height_NF: Tensor
    start_NF: Tensor


def section(trained: Run) -> Section | None:
    """Lists the words that excite the filters most; None where the net has no filters over words."""
    tokens_NT, vocabulary = trained.samples.inputs, trained.task.text.vocabulary
    with torch.inference_mode():
        found = watch(trained.net, trained.front(torch.tensor(tokens_NT)))
    if not found:
        return None
    parts = []
    for filters in found:
        parts.append(heading(f"Filters that see {filters.width} words"))
        parts.append(table(["filter", *_PLACES], _rows(filters, tokens_NT, vocabulary)))
    return Section(
        title="Which words its filters look for",
        about=f"The {_FILTERS} filters of each width that answer most to {len(tokens_NT)} test texts, and the words "
        f"that they answer to most, the highest answer first. {_NOTHING} is a place before or after a text.",
        body="".join(parts),
    )


def watch(net: nn.Module, seen_NT: Tensor) -> list[Filters]:
    """Gives the filters over words of a net, which are its one-dimensional convolutions.

    A net may fill texts up on both sides alike, before its filters see them.
    """
    found: list[Filters] = []

    def note(layer: nn.Conv1d, _inputs: tuple[Tensor, ...], output_NFT: Tensor) -> None:
        height_NF, place_NF = output_NFT.max(2)
        width = layer.kernel_size[0]
        before = (output_NFT.shape[2] + width - 1 - seen_NT.shape[1]) // 2
        found.append(Filters(width, height_NF, place_NF - before))

    hooks = [layer.register_forward_hook(note) for layer in net.modules() if isinstance(layer, nn.Conv1d)]
    try:
        net(seen_NT)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _rows(filters: Filters, tokens_NT: NDArray[np.int64], vocabulary: Sequence[str]) -> Iterator[list[str]]:
    peak_F = filters.height_NF.topk(min(len(_PLACES), len(filters.height_NF)), dim=0).values.mean(0)
    for unit in peak_F.topk(min(_FILTERS, len(peak_F))).indices.tolist():
        found = best(filters, unit, tokens_NT, vocabulary)
        yield [str(unit + 1), *found, *[""] * (len(_PLACES) - len(found))]


def best(filters: Filters, unit: int, tokens_NT: NDArray[np.int64], vocabulary: Sequence[str]) -> list[str]:
    """Gives the words that a filter answers to most, each once, the highest answer first."""
    phrases: dict[str, None] = {}
    for number in filters.height_NF[:, unit].argsort(descending=True, stable=True).tolist():
        start = int(filters.start_NF[number, unit])
        phrases[_phrase(tokens_NT[number], range(start, start + filters.width), vocabulary)] = None
        if len(phrases) == len(_PLACES):
            break
    return list(phrases)


def _phrase(tokens_T: NDArray[np.int64], places: range, vocabulary: Sequence[str]) -> str:
    tokens = [int(tokens_T[place]) if 0 <= place < len(tokens_T) else PADDING for place in places]
    return " ".join({PADDING: _NOTHING, UNKNOWN: "···"}.get(token, vocabulary[token]) for token in tokens)
