"""How captions are made of what a net says: by the most probable words, by chance, or by a beam.

Legend: N pictures, R captions of each, B = N R rows, T words, W width of the beam, V words of the vocabulary.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training.data.captioned import END, START, UNKNOWN
from training.models.captioner import Captioner, State

_NEVER = float("-inf")


@torch.no_grad()
def greedy(net: Captioner, maps_NPC: Tensor, most: int) -> Tensor:
    """Gives tokens_NT i64: at each place the most probable word; END from a caption's end on."""
    return _word_by_word(net, maps_NPC, 1, most, lambda logits_BV: logits_BV.argmax(1))


def drawn(net: Captioner, maps_NPC: Tensor, samples: int, most: int) -> tuple[Tensor, Tensor]:
    """Draws R captions of each picture, each word by its probability.

    Returns:
        tokens_NRT i64, END from the end on, and their log-probabilities log_NRT f32, which gradients flow through.
    """
    logs = []

    def draw(logits_BV: Tensor) -> Tensor:
        log_BV = torch.log_softmax(logits_BV.float(), 1)
        token_B1 = torch.multinomial(log_BV.detach().exp(), 1)
        logs.append(log_BV.gather(1, token_B1))
        return token_B1.squeeze(1)

    tokens_BT = _word_by_word(net, maps_NPC, samples, most, draw)
    shape = (len(maps_NPC), samples, -1)
    return tokens_BT.reshape(shape), torch.cat(logs, 1).reshape(shape)


def _word_by_word(
    net: Captioner, maps_NPC: Tensor, captions: int, most: int, choose: Callable[[Tensor], Tensor]
) -> Tensor:
    """Gives tokens_BT i64: so many captions of each picture, each word chosen from logits_BV; END from the end on."""
    seen = net.see(maps_NPC)
    state = tuple(part.repeat_interleave(captions, 0) for part in seen.state)
    token_B = _started(len(maps_NPC) * captions, maps_NPC.device)
    is_over_B = torch.zeros_like(token_B, dtype=torch.bool)
    said = []
    for _ in range(most):
        deep, state, _ = net.say(token_B, seen, state)
        token_B = choose(_known(net.output(deep))).masked_fill(is_over_B, END)
        is_over_B |= token_B == END
        said.append(token_B)
        if bool(is_over_B.all()):
            break
    return torch.stack(said, 1)


@torch.no_grad()
def beam(net: Captioner, maps_NPC: Tensor, width: int, most: int, length_penalty: float = 0.0) -> Tensor:
    """Gives tokens_NT i64: of W captions that are gone on with at each word, the best; END from its end on.

    Args:
        net: in evaluation mode.
        maps_NPC: what was seen.
        width: W.
        most: words of a caption.
        length_penalty: a caption's log-probability is divided by its words and END to this power.
    """
    seen, pictures = net.see(maps_NPC), len(maps_NPC)
    state: State = tuple(part.repeat_interleave(width, 0) for part in seen.state)
    token_B = _started(pictures * width, maps_NPC.device)
    score_NW = torch.full((pictures, width), _NEVER, device=maps_NPC.device)
    score_NW[:, 0] = 0
    said_NWT = token_B.new_zeros(pictures, width, 0)
    is_over_NW, words_NW = torch.zeros_like(score_NW, dtype=torch.bool), torch.zeros_like(score_NW)
    rows_N1 = torch.arange(pictures, device=maps_NPC.device).unsqueeze(1) * width
    for _ in range(most):
        deep, state, _ = net.say(token_B, seen, state)
        next_NWV = torch.log_softmax(_known(net.output(deep)).float(), 1).reshape(pictures, width, -1)
        vocabulary = next_NWV.shape[2]
        # What is over goes on as it is.
        next_NWV = next_NWV.masked_fill(is_over_NW.unsqueeze(2), _NEVER)
        next_NWV[:, :, END] = torch.where(is_over_NW, 0.0, next_NWV[:, :, END])
        score_NW, place_NW = (score_NW.unsqueeze(2) + next_NWV).flatten(1).topk(width, 1)
        from_NW, token_NW = place_NW // vocabulary, place_NW % vocabulary
        said_NWT = torch.cat([said_NWT.gather(1, from_NW.unsqueeze(2).expand_as(said_NWT)), token_NW.unsqueeze(2)], 2)
        words_NW = words_NW.gather(1, from_NW) + ~is_over_NW.gather(1, from_NW)
        is_over_NW = is_over_NW.gather(1, from_NW) | (token_NW == END)
        row_B = (rows_N1 + from_NW).flatten()
        state, token_B = tuple(part[row_B] for part in state), token_NW.flatten()
        if bool(is_over_NW.all()):
            break
    best_N = (score_NW / words_NW.clamp(min=1) ** length_penalty).argmax(1)
    return said_NWT[torch.arange(pictures), best_N]


def _started(rows: int, device: torch.device) -> Tensor:
    return torch.full((rows,), START, dtype=torch.int64, device=device)


def _known(logits_BV: Tensor) -> Tensor:
    """Gives logits by which no caption says a word that stands for others."""
    logits_BV[:, [START, UNKNOWN]] = _NEVER
    return logits_BV
