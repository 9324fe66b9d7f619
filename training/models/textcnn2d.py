"""A net that reads a sentence as LeNet-5 reads a picture: filters that see a few words, and of each a few dimensions.

Convolution and pooling along both are those of Zhou, Qi, Zheng, Xu, Bao, Xu, "Text classification improved by
integrating bidirectional LSTM with two-dimensional max pooling", 2016, section 2, here on the word vectors themselves.
Filters, pooling and units are laid out as in TensorFlow's tutorial "Deep MNIST for experts", 2016, with half as many
filters.

Legend: N batch, T tokens of a text, D dimensions of a word's vector, C channels, H height, W width, K classes.
"""

from typing import Final

from torch import Tensor, nn

from training.models.textcnn import word_vectors

_FILTER_PX: Final = 5
_FILTERS: Final = (16, 32)
_UNITS: Final = 1024


class TextCNN2D(nn.Module):
    """Two convolutions over the matrix of word vectors, each with pooling, and a layer that sees all of the result.

    Unlike TextCNN it knows where in the text something stands, and takes texts of one length only.

    Args:
        words: how many numbers tokens may have, that of the padding among them.
        classes: K, how many classes there are.
        tokens: T, to which every text is filled up or cut.
        dimensions: D; the weights of the units grow with T times D.
        dropout: share of the units that is dropped in training.
    """

    def __init__(self, words: int, classes: int, tokens: int, *, dimensions: int = 64, dropout: float = 0.5) -> None:
        super().__init__()
        first, second = _FILTERS
        self.vectors = word_vectors(words, dimensions)
        self.conv1 = nn.Conv2d(1, first, _FILTER_PX, padding="same")
        self.conv2 = nn.Conv2d(first, second, _FILTER_PX, padding="same")
        # No word is left over at the end, however few there are.
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.relu = nn.ReLU()
        self.units = nn.Linear(second * _quarter(tokens) * _quarter(dimensions), _UNITS)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(_UNITS, classes)

    def forward(self, tokens_NT: Tensor) -> Tensor:
        """Gives logits_NK f32 of tokens_NT i64, in which a text's end is filled up with 0."""
        maps_NCHW = self.vectors(tokens_NT).unsqueeze(1)
        maps_NCHW = self.pool(self.relu(self.conv1(maps_NCHW)))
        maps_NCHW = self.pool(self.relu(self.conv2(maps_NCHW)))
        units = self.relu(self.units(maps_NCHW.flatten(1)))
        logits_NK: Tensor = self.output(self.dropout(units))
        return logits_NK


def _quarter(side: int) -> int:
    """Gives what two poolings leave of a side: a quarter, rounded up."""
    return -(-side // 4)
