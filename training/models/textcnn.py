"""TextCNN: Kim, "Convolutional neural networks for sentence classification", 2014, section 2.

Legend: N batch, T tokens of a text, D dimensions of a word's vector, F filters, K classes.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

# The number of what is no word but fills a text up; its vector is 0 and stays so.
PADDING: Final = 0


def word_vectors(words: int, dimensions: int) -> nn.Embedding:
    """Makes a vector for each word, drawn at random, and that of PADDING, which is 0 and is not trained."""
    vectors = nn.Embedding(words, dimensions, padding_idx=PADDING)
    with torch.no_grad():
        # As wide as word2vec's, advises the paper (section 4.3); its code has this figure.
        vectors.weight.uniform_(-0.25, 0.25)
        vectors.weight[PADDING] = 0
    return vectors


class TextCNN(nn.Module):
    """Filters that look at a few words at a time, each of which reports the best match in the whole text.

    It is the paper's CNN-rand: word vectors are drawn at random and trained with the rest. Each text is padded here on
    both sides, so that every filter meets the first and the last word at each of its places, a text may be shorter
    than a filter, and padding that a text brings along changes nothing.

    Args:
        words: how many numbers tokens may have, that of the padding among them.
        classes: K, how many classes there are.
        dimensions: D.
        widths: how many words the filters see at once.
        filters: F, how many there are of each width.
        dropout: share of the filters' reports that is dropped in training.
    """

    def __init__(
        self,
        words: int,
        classes: int,
        *,
        dimensions: int = 300,
        widths: Sequence[int] = (3, 4, 5),
        filters: int = 100,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.vectors = word_vectors(words, dimensions)
        self.filters = nn.ModuleList(nn.Conv1d(dimensions, filters, width) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(filters * len(widths), classes)
        self._edge = max(widths)

    def forward(self, tokens_NT: Tensor) -> Tensor:
        """Gives logits_NK f32 of tokens_NT i64, in which a text's end is filled up with PADDING."""
        tokens_NT = functional.pad(tokens_NT, (self._edge, self._edge), value=PADDING)
        vectors_NDT = self.vectors(tokens_NT).transpose(1, 2)
        best = [torch.relu(convolution(vectors_NDT)).amax(dim=2) for convolution in self.filters]
        logits_NK: Tensor = self.output(self.dropout(torch.cat(best, dim=1)))
        return logits_NK

    @torch.no_grad()
    def limit_norms(self, norm: float) -> None:
        """Shortens each class's weight vector that has become longer than the paper's s (section 2.1), which is 3.

        The paper trains with features that are only dropped, and shortens the weights for use; torch makes up for the
        dropped features in training. So its weights are the paper's times the share of features that is kept.

        Args:
            norm: s, to be kept after each step of training.
        """
        self.output.weight.renorm_(2, dim=0, maxnorm=norm * (1 - self.dropout.p))
