"""Legend: N texts, T words."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.training.report import runs
from training.data.dataset import Examples
from training.models.textcnn import TextCNN
from training.report import ngrams


class Pairs(nn.Module):
    """One filter that sees two words: the number of the first plus ten times that of the second."""

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.filter = nn.Conv1d(1, 1, 2, bias=False)
        self.filter.weight.data = torch.tensor([[[1.0, 10.0]]])
        self.padding = padding

    def forward(self, tokens_NT: Tensor) -> Tensor:
        """Gives logits_NK."""
        maps_NFT: Tensor = self.filter(functional.pad(tokens_NT, (self.padding, self.padding))[:, None].float())
        return maps_NFT.amax(2).repeat(1, 2)


TEXTS = runs.tokens("what is it", "is what", "when", "is what it")


def test_finds_the_words_by_hand() -> None:
    """The place of the highest answer, brought back to the text, gives the words; what is outside is marked."""
    for padding in (1, 2):
        (found,) = ngrams.watch(Pairs(padding), torch.from_numpy(TEXTS))
        assert found.width == 2
        assert found.height_NF[:, 0].tolist() == [54, 40, 70, 53]
        assert ngrams.best(found, 0, TEXTS, runs.WORDS) == ["_ when", "is it", "what it", "_ is"]


def test_without_padding() -> None:
    """A net that does not fill texts up is read as well."""
    (found,) = ngrams.watch(Pairs(0), torch.from_numpy(TEXTS))
    assert found.start_NF[:, 0].tolist() == [1, 0, 0, 1]
    assert ngrams.best(found, 0, TEXTS, runs.WORDS)[0] == "is it"


def test_lists_each_width_of_a_text_net() -> None:
    """Kim's net has a table for each width of its filters, twelve filters each."""
    torch.manual_seed(0)
    net = TextCNN(len(runs.WORDS), 2, dimensions=8, widths=(2, 3), filters=20)
    section = ngrams.section(runs.made(net, runs.of_texts(6), Examples(TEXTS, np.zeros(4, np.int64))))
    assert section is not None
    assert [f"Filters that see {width} words" in section.body for width in (2, 3, 4)] == [True, True, False]
    assert section.body.count("<tr>") == 2 * (1 + 12)


def test_nets_without_filters() -> None:
    """A net without convolutions over words has no such section."""
    net = nn.Sequential(nn.Embedding(8, 4), nn.Flatten(), nn.Linear(24, 2))
    assert ngrams.section(runs.made(net, runs.of_texts(6), Examples(TEXTS, np.zeros(4, np.int64)))) is None
