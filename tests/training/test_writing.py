"""Legend: T tokens, V tokens of the vocabulary."""

from collections import Counter

import pytest
import torch

from training.models.recurrent import Recurrent
from training.writing import write


@pytest.fixture
def net() -> Recurrent:
    torch.manual_seed(5)
    return Recurrent(4, cell="gru", layers=1, width=5, dimensions=3).eval()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_writes_the_most_probable_at_temperature_0(net: Recurrent) -> None:
    """Each token is the most probable after all before it, the prompt among them."""
    text = [2, 0]
    for token in write(net, torch.tensor(text), 12, 0, generator()):
        logits_NTV, _ = net(torch.tensor([text]))
        assert token == int(logits_NTV[0, -1].argmax())
        text.append(token)


def test_writes_by_the_nets_probabilities(net: Recurrent) -> None:
    """First tokens come as often as the net holds them for probable, flatter at a higher temperature."""
    prompt_T, drawn = torch.tensor([1]), generator()
    for temperature in (1.0, 3.0):
        share_V = torch.softmax(net(prompt_T[None])[0][0, -1].detach() / temperature, dim=0)
        counts = Counter(write(net, prompt_T, 1, temperature, drawn)[0] for _ in range(1500))
        for token in range(4):
            assert counts[token] / 1500 == pytest.approx(float(share_V[token]), abs=0.05)


def test_same_seed_writes_the_same(net: Recurrent) -> None:
    """What chance decides depends on the generator alone."""
    first, again = (write(net, torch.tensor([3]), 30, 1, generator()) for _ in range(2))
    assert first == again
    assert len(set(first)) > 1
