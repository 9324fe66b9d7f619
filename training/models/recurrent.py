"""Recurrent nets that read one token after another and say which may come next.

The plain net with tanh: Elman, "Finding structure in time", 1990. LSTM: Hochreiter, Schmidhuber, "Long short-term
memory", 1997, with the forget gate of Gers, Schmidhuber, Cummins 2000. GRU: Cho et al., "Learning phrase
representations using RNN encoder-decoder", 2014, 2.3, in the form that torch has (the reset gate after the product).

Legend: N batch, T tokens of a text, V tokens of the vocabulary, D dimensions of a token's vector, L layers, H units of
a layer.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

Cell = Literal["rnn", "gru", "lstm"]
# What a net remembers, f32[N,L,H] each: `hidden`, and of an LSTM `cell`.
State = tuple[Tensor, ...]

_LAYERS: Final[dict[Cell, Callable[..., nn.RNNBase]]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
# The state's parts, in their order.
PARTS: Final[dict[Cell, tuple[str, ...]]] = {"rnn": ("hidden",), "gru": ("hidden",), "lstm": ("hidden", "cell")}


class Recurrent(nn.Module):
    """A recurrent net over the tokens of a vocabulary.

    Args:
        tokens: V.
        cell: which kind its layers are.
        layers: L.
        width: H.
        dimensions: D.
        tied: whether the output's weights are the tokens' vectors (Press and Wolf 2017); D is H then.
        input_dropout: share of the tokens' vectors' values that is dropped in training.
        dropout: share of what each layer passes up that is dropped in training (Zaremba, Sutskever, Vinyals,
            "Recurrent neural network regularization", 2014, 3.1).
        recurrent_dropout: share of each layer's weights from one step to the next that is dropped in training, anew for
            each batch (Merity, Keskar, Socher, "Regularizing and optimizing LSTM language models", 2017, section 2).
    """

    def __init__(
        self,
        tokens: int,
        *,
        cell: Cell,
        layers: int,
        width: int,
        dimensions: int,
        tied: bool = False,
        input_dropout: float = 0,
        dropout: float = 0,
        recurrent_dropout: float = 0,
    ) -> None:
        super().__init__()
        if tied and dimensions != width:
            raise ValueError(f"tied needs as many dimensions as units, but there are {dimensions} and {width}")
        if not 1 <= layers <= 3:
            raise ValueError(f"layers is {layers}: 1 to 3 are meant")
        self.cell = cell
        self.vectors = nn.Embedding(tokens, dimensions)
        sizes = [dimensions] + [width] * (layers - 1)
        self.layers = nn.ModuleList(_LAYERS[cell](size, width, batch_first=True) for size in sizes)
        self.output = nn.Linear(width, tokens)
        if tied:
            # Normal with deviation 1, as vectors are drawn, would make outputs of the size of H.
            nn.init.uniform_(self.vectors.weight, -(width**-0.5), width**-0.5)
            self.output.weight = self.vectors.weight
        self.input_dropout, self.dropout, self.recurrent_dropout = input_dropout, dropout, recurrent_dropout
        if cell == "lstm":
            self._remember()

    @property
    def width(self) -> int:
        """H."""
        return self.output.in_features

    @torch.no_grad()
    def _remember(self) -> None:
        """Opens the forget gates: Jozefowicz, Zaremba, Sutskever, "An empirical exploration of ...", 2015, 2.2."""
        for layer in self.layers:
            assert isinstance(layer.bias_hh_l0, Tensor)
            layer.bias_hh_l0[self.width : 2 * self.width] = 1

    def first_state(self, rows: int) -> State:
        """Gives the state before a text's first token: zeros."""
        weight = self.output.weight
        return tuple(weight.new_zeros(rows, len(self.layers), self.width) for _ in PARTS[self.cell])

    def forward(self, tokens_NT: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Gives logits_NTV f32 of the token after each of tokens_NT i64, and the state after the last.

        Args:
            tokens_NT: the tokens.
            state: the one before the first of them; that of a text's beginning unless given.
        """
        before = state or self.first_state(len(tokens_NT))
        outputs = functional.dropout(self.vectors(tokens_NT), self.input_dropout, self.training)
        after = []
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, nn.RNNBase)
            outputs, now = self._layer(layer, outputs, [part[:, number] for part in before])
            after.append(now)
            outputs = functional.dropout(outputs, self.dropout, self.training)
        return self.output(outputs), tuple(torch.stack(parts, dim=1) for parts in zip(*after, strict=True))

    def _layer(self, layer: nn.RNNBase, inputs: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Gives a layer's outputs f32[N,T,H] and its state after the last."""
        (inward, recurrent, *biases) = layer.all_weights[0]
        weights = [inward, functional.dropout(recurrent, self.recurrent_dropout, self.training), *biases]
        states = [part.unsqueeze(0) for part in before]
        # One layer in one direction, batch first, with biases.
        how = (True, 1, 0.0, self.training, False, True)
        match self.cell:
            case "lstm":
                outputs, *after = torch.lstm(inputs, states, weights, *how)
            case "gru":
                outputs, *after = torch.gru(inputs, states[0], weights, *how)
            case "rnn":
                outputs, *after = torch.rnn_tanh(inputs, states[0], weights, *how)
            case _:
                assert_never(self.cell)
        # Where 16 bits are computed with, what is carried on for a whole text is kept in 32.
        return outputs, [part.squeeze(0).float() for part in after]
