"""Legend: N batch, T tokens of a text, K classes."""

import pytest
import torch
from torch.nn import functional

from training.models.textcnn import PADDING, TextCNN


def small(dropout: float = 0.5) -> TextCNN:
    torch.manual_seed(0)
    return TextCNN(20, 3, dimensions=8, filters=6, dropout=dropout)


def test_has_the_papers_sizes() -> None:
    """With the paper's settings there are 360,300 weights in the filters, beside a vector a word and one a class."""
    net = TextCNN(1000, 2)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    filters = sum((width * 300 + 1) * 100 for width in (3, 4, 5))
    assert counts == {"vectors": 1000 * 300, "filters": filters, "dropout": 0, "output": (300 + 1) * 2}
    assert filters == 360_300


@pytest.mark.parametrize("length", [1, 2, 4, 5, 50])
def test_takes_texts_of_any_length(length: int) -> None:
    """Logits are f32[N,K], also for texts shorter than the widest filter."""
    logits_NK = small().eval()(torch.randint(1, 20, (2, length)))
    assert logits_NK.shape == (2, 3)
    assert logits_NK.dtype == torch.float32


def test_padding_after_a_text_changes_nothing() -> None:
    """A text says the same however far it is filled up."""
    net = small().eval()
    tokens_NT = torch.randint(1, 20, (4, 7))
    padded_NT = functional.pad(tokens_NT, (0, 9), value=PADDING)
    torch.testing.assert_close(net(padded_NT), net(tokens_NT))


def test_order_of_words_counts() -> None:
    """The same words in another order are another text."""
    net = small().eval()
    tokens_NT = torch.arange(1, 10).reshape(1, 9)
    assert not torch.allclose(net(tokens_NT), net(tokens_NT.flip(1)))


def test_finds_a_phrase_wherever_it_stands() -> None:
    """A filter reports its best match in the text, at the first word as at the last."""
    net = small().eval()
    first = torch.tensor([[5, 6, 7, PADDING, PADDING, PADDING, PADDING]])
    torch.testing.assert_close(net(first.roll(4, dims=1)), net(first))


def test_vector_of_the_padding_stays_zero() -> None:
    """Training moves the words' vectors and not that of the padding."""
    net = small()
    before = net.vectors.weight.detach().clone()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(torch.tensor([[1, 2, 3, PADDING, PADDING]])).logsumexp(1).sum().backward()
    optimizer.step()
    assert not torch.equal(net.vectors.weight[1], before[1])
    assert torch.count_nonzero(net.vectors.weight[PADDING]) == 0


def test_drops_filters_in_training_only() -> None:
    """In training two looks at a text differ; in use they do not."""
    net, tokens_NT = small(), torch.randint(1, 20, (2, 9))
    assert not torch.equal(net(tokens_NT), net(tokens_NT))
    net.eval()
    assert torch.equal(net(tokens_NT), net(tokens_NT))


@pytest.mark.parametrize(("dropout", "longest"), [(0.5, 1.5), (0.0, 3.0)])
def test_shortens_long_weight_vectors(dropout: float, longest: float) -> None:
    """A class's weights get no longer than s, in the paper's terms; those that are shorter stay as they are."""
    net = small(dropout=dropout)
    with torch.no_grad():
        net.output.weight[0] = functional.normalize(torch.ones(18), dim=0) * 10
        net.output.weight[1] = functional.normalize(torch.ones(18), dim=0) * 0.9
    before = net.output.weight.detach().clone()
    net.limit_norms(3.0)
    torch.testing.assert_close(net.output.weight[0], before[0] / 10 * longest)
    assert torch.equal(net.output.weight[1:], before[1:])
