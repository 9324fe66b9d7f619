"""Legend: N batch, T tokens of a text, K classes."""

import pytest
import torch

from training.models.textcnn import PADDING
from training.models.textcnn2d import TextCNN2D


def test_has_the_sizes_that_its_layers_say() -> None:
    """16 and 32 filters of 5x5, and 1,024 units on a quarter of each side: by hand, for 40 words of 64 numbers."""
    net = TextCNN2D(1000, 6, 40)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert {name: count for name, count in counts.items() if count} == {
        "vectors": 1000 * 64,
        "conv1": (5 * 5 + 1) * 16,
        "conv2": (5 * 5 * 16 + 1) * 32,
        "units": (32 * 10 * 16 + 1) * 1024,
        "output": (1024 + 1) * 6,
    }


@pytest.mark.parametrize(("tokens", "dimensions"), [(1, 3), (4, 8), (7, 10), (40, 64)])
def test_takes_any_fixed_length(tokens: int, dimensions: int) -> None:
    """Logits are f32[N,K] whatever the length and the dimensions for which the net was made."""
    net = TextCNN2D(20, 3, tokens, dimensions=dimensions).eval()
    logits_NK = net(torch.randint(1, 20, (2, tokens)))
    assert logits_NK.shape == (2, 3)
    assert logits_NK.dtype == torch.float32


@pytest.mark.parametrize("position", range(7))
def test_sees_every_word(position: int) -> None:
    """Another word at any place, the last one included, changes the answer."""
    torch.manual_seed(0)
    net = TextCNN2D(20, 3, 7, dimensions=8).eval()
    tokens_NT = torch.full((1, 7), 5)
    changed_NT = tokens_NT.clone()
    changed_NT[0, position] = 11
    assert not torch.equal(net(changed_NT), net(tokens_NT))


def test_starts_with_no_vector_for_the_padding() -> None:
    """A text of nothing but padding is a matrix of zeros."""
    net = TextCNN2D(20, 3, 7)
    assert torch.count_nonzero(net.vectors(torch.full((1, 7), PADDING))) == 0


def test_drops_units_in_training_only() -> None:
    """In training two looks at a text differ; in use they do not."""
    net, tokens_NT = TextCNN2D(20, 3, 7), torch.randint(1, 20, (2, 7))
    assert not torch.equal(net(tokens_NT), net(tokens_NT))
    net.eval()
    assert torch.equal(net(tokens_NT), net(tokens_NT))
