"""What the net itself, in PyTorch, says of a text and writes: what the graphs are held to.

Legend: N batch, T tokens, V tokens of the vocabulary, L layers, H units of a layer.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from export.writing import rule
from export.writing.written import Controls, Floats, Written
from training.models.recurrent import Recurrent, State

AUTHOR: Final = "PyTorch"


class Reference:
    """A trained net, asked as the graphs are."""

    def __init__(self, net: Recurrent) -> None:
        self.net = net

    @torch.inference_mode()
    def read(
        self, tokens_NT: NDArray[np.int64], length_N: NDArray[np.int64], before: Sequence[Floats]
    ) -> tuple[Floats, list[Floats]]:
        """Gives what "prefill" is to give: log_probability_NT and the state, one row after another."""
        log_probability_NT = np.zeros(tokens_NT.shape, np.float32)
        after = [part.copy() for part in before]
        for row, length in enumerate(length_N):
            tokens = torch.from_numpy(tokens_NT[row : row + 1, :length])
            if length > 1:
                logits, state = self.net(tokens[:, :-1], _state(before, row))
                everything = torch.log_softmax(logits[0], dim=1)
                log_probability_NT[row, 1:length] = everything.gather(1, tokens[0, 1:, None])[:, 0].numpy()
                for part, new in zip(after, state, strict=True):
                    part[row] = new[0].numpy()
        return log_probability_NT, after

    @torch.inference_mode()
    def follow(
        self, token_N: NDArray[np.int64], written_NT: NDArray[np.int64], before: Sequence[Floats]
    ) -> tuple[Floats, list[Floats]]:
        """Gives all log-probabilities f32[N,T,V] before each of the tokens written, and the state before the last."""
        read_NT = np.concatenate([token_N[:, None], written_NT[:, :-1]], axis=1)
        logits, state = self.net(torch.from_numpy(read_NT), _state(before))
        return torch.log_softmax(logits, dim=2).numpy(), [part.numpy() for part in state]

    def write(self, token_N: NDArray[np.int64], before: Sequence[Floats], how: Controls) -> Written:
        """Gives what "step" is to give, over several runs."""
        rows, tokens, log_probabilities, state = range(len(token_N)), [token_N], [], list(before)
        for uniform_N in how.uniform_NT.T:
            everything, state = self.follow(tokens[-1], tokens[-1][:, None], state)
            chosen = [rule.choose(everything[row, 0], uniform_N[row], *how.of(row)) for row in rows]
            tokens.append(np.array(chosen, np.int64))
            log_probabilities.append(everything[np.arange(len(token_N)), 0, tokens[-1]])
        return Written(np.stack(tokens[1:], axis=1), np.stack(log_probabilities, axis=1), state)


def _state(parts: Sequence[Floats], row: int | None = None) -> State:
    return tuple(torch.from_numpy(part if row is None else part[row : row + 1]) for part in parts)
