"""A net that says what is in a picture: a CNN has seen it, and a recurrent net says one word after another.

With attention: Xu et al., "Show, attend and tell", 2015, 3.1 and 4.2 (soft attention and its gate; a state that begins
with the mean of the places; the deep output of 3.1.2). Without: Vinyals et al., "Show and tell", 2015, 3.1 (the
picture is the first thing that the net hears).

Legend: N pictures, R captions of each, B = N R rows, T words of a caption, P places of the grid that a picture is seen
in, C channels that the CNN gives of a place, D features of a place, A units of the attention, E dimensions of a word's
vector, H units of the recurrent layer, V words of the vocabulary.
"""

from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

Cell = Literal["lstm", "gru"]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
# What the net remembers, f32[B,H] each: `hidden`, and of an LSTM `cell`.
State = tuple[Tensor, ...]


class Seen(NamedTuple):
    """What is known of pictures before the first word."""

    features_NPD: Tensor
    # The part of the attention that is the same at each word.
    keys_NPA: Tensor
    # Of N rows.
    state: State


class Captioner(nn.Module):
    """The part that says: from the last maps of a CNN to words.

    Args:
        vocabulary: V.
        channels: C.
        cell: which kind the recurrent layer is.
        attends: whether each word looks at the places anew; else the picture is heard once, before the first word.
        features: D.
        attention: A.
        dimensions: E.
        width: H.
        dropout: share of the features, of the words' vectors and of what is remembered that is dropped in training.
        tied: whether the output's weights are the words' vectors (Press and Wolf 2017).
    """

    def __init__(
        self,
        vocabulary: int,
        channels: int,
        *,
        cell: Cell,
        attends: bool,
        features: int,
        attention: int,
        dimensions: int,
        width: int,
        dropout: float,
        tied: bool,
    ) -> None:
        super().__init__()
        self.attends = attends
        self.dropout = dropout
        self.features = nn.Linear(channels, features)
        if attends:
            self.keys = nn.Linear(features, attention)
            self.query = nn.Linear(width, attention)
            self.scores = nn.Linear(attention, 1, bias=False)
            self.gate = nn.Linear(width, features)
            self.from_features = nn.Linear(features, dimensions, bias=False)
        self.vectors = nn.Embedding(vocabulary, dimensions)
        heard = dimensions + (features if attends else 0)
        self.layer = nn.LSTMCell(heard, width) if cell == "lstm" else nn.GRUCell(heard, width)
        # What the picture as a whole begins with: the state, or what is heard first.
        self.begin = nn.Linear(features, width * self._parts if attends else dimensions)
        self.from_hidden = nn.Linear(width, dimensions)
        self.output = nn.Linear(dimensions, vocabulary)
        if tied:
            # Normal with deviation 1, as vectors are drawn, would make outputs of the size of E.
            nn.init.uniform_(self.vectors.weight, -(dimensions**-0.5), dimensions**-0.5)
            self.output.weight = self.vectors.weight
        if isinstance(self.layer, nn.LSTMCell):
            # Open forget gates: Jozefowicz, Zaremba, Sutskever, "An empirical exploration ...", 2015, 2.2.
            with torch.no_grad():
                self.layer.bias_hh[width : 2 * width] = 1

    @property
    def cell(self) -> Cell:
        """Which kind the recurrent layer is."""
        return "lstm" if isinstance(self.layer, nn.LSTMCell) else "gru"

    @property
    def tied(self) -> bool:
        """Whether the output's weights are the words' vectors."""
        return self.output.weight is self.vectors.weight

    @property
    def _parts(self) -> int:
        """Of the state."""
        return 2 if isinstance(self.layer, nn.LSTMCell) else 1

    def see(self, maps_NPC: Tensor) -> Seen:
        """Gives what is known of pictures before the first word."""
        features_NPD = self._thin(torch.relu(self.features(maps_NPC)))
        begun = self.begin(features_NPD.mean(1))
        if self.attends:
            return Seen(features_NPD, self.keys(features_NPD), torch.tanh(begun).chunk(self._parts, 1))
        # What `len` gives, a traced graph would be fixed to.
        pictures = begun.shape[0]
        none = tuple(begun.new_zeros(pictures, self.layer.hidden_size) for _ in range(self._parts))
        none_N00 = begun.new_zeros(pictures, 0, 0)
        return Seen(none_N00, none_N00, self._hear(begun, none))

    def say(self, token_B: Tensor, seen: Seen, state: State) -> tuple[Tensor, State, Tensor]:
        """Gives the deep output f32[B,E] that the next word comes of, the state after token_B i64, attention_NRP f32.

        Args:
            token_B: the last word of each of R captions of N pictures, all of one picture side by side.
            seen: of the N pictures; its own state is not used.
            state: before that word.
        """
        hidden_BH = state[0]
        vectors_BE = self._thin(self.vectors(token_B))
        if self.attends:
            looked_BD, attention_NRP = self._look(hidden_BH, seen)
            after = self._hear(torch.cat([vectors_BE, looked_BD], 1), state)
            deep_BE = self.from_hidden(self._thin(after[0])) + self.from_features(looked_BD) + vectors_BE
        else:
            after, attention_NRP = self._hear(vectors_BE, state), hidden_BH.new_zeros(len(hidden_BH), 1, 0)
            deep_BE = self.from_hidden(self._thin(after[0])) + vectors_BE
        return torch.tanh(deep_BE), after, attention_NRP

    def forward(self, maps_NPC: Tensor, tokens_NRT: Tensor) -> tuple[Tensor, Tensor]:
        """Gives logits_NRTV f32 of the word after each of tokens_NRT i64, and attention_NRTP f32 at each."""
        pictures, captions, words = tokens_NRT.shape
        seen = self.see(maps_NPC)
        state = tuple(part.repeat_interleave(captions, 0) for part in seen.state)
        deep, attention = [], []
        for word in range(words):
            deep_BE, state, attention_NRP = self.say(tokens_NRT[:, :, word].flatten(), seen, state)
            deep.append(deep_BE)
            attention.append(attention_NRP.reshape(pictures, captions, -1))
        logits_BTV = self.output(torch.stack(deep, 1))
        return logits_BTV.unflatten(0, (pictures, captions)), torch.stack(attention, 2)

    def _look(self, hidden_BH: Tensor, seen: Seen) -> tuple[Tensor, Tensor]:
        """Gives the features looked_BD f32 of what each row looks at, and attention_NRP f32: how much at each place."""
        query_NRA = self.query(hidden_BH).unflatten(0, (len(seen.keys_NPA), -1))
        scores_NRP = self.scores(torch.tanh(seen.keys_NPA.unsqueeze(1) + query_NRA.unsqueeze(2))).squeeze(3)
        attention_NRP = torch.softmax(scores_NRP.float(), 2).to(scores_NRP.dtype)
        looked_NRD = torch.matmul(attention_NRP, seen.features_NPD)
        return looked_NRD.flatten(0, 1) * torch.sigmoid(self.gate(hidden_BH)), attention_NRP

    def _hear(self, heard: Tensor, state: State) -> State:
        if isinstance(self.layer, nn.LSTMCell):
            hidden_BH, cell_BH = self.layer(heard, (state[0], state[1]))
            return hidden_BH, cell_BH
        return (self.layer(heard, state[0]),)

    def _thin(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.dropout, self.training)


def captioner(
    vocabulary: int,
    channels: int,
    *,
    cell: Cell = "lstm",
    attends: bool = True,
    features: Count = 512,
    attention: Count = 256,
    dimensions: Count = 256,
    width: Count = 512,
    dropout: Share = 0.5,
    tied: bool = False,
) -> Captioner:
    """Builds a `Captioner` of the paper's kind, half its size in most parts: it learns from 30,000 captions."""
    return Captioner(
        vocabulary,
        channels,
        cell=cell,
        attends=attends,
        features=features,
        attention=attention,
        dimensions=dimensions,
        width=width,
        dropout=dropout,
        tied=tied,
    )
