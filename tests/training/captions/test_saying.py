"""How captions are made of what a net says.

Legend: N pictures, P places, C channels, R captions, T words.
"""

import pytest
import torch
from torch import Tensor

from training.captions.saying import beam, drawn, greedy
from training.data.captioned import END, START, UNKNOWN
from training.models.captioner import Captioner

WORDS = 12
MOST = 9


@pytest.fixture(params=[("lstm", True), ("gru", True), ("lstm", False), ("gru", False)], ids=str)
def net(request: pytest.FixtureRequest) -> Captioner:
    """A captioner of each kind with random weights, in evaluation mode."""
    torch.manual_seed(3)
    cell, attends = request.param
    made = Captioner(
        WORDS, 6, cell=cell, attends=attends, features=8, attention=5, dimensions=7, width=9, dropout=0.5, tied=False
    )
    # Large weights, so that words differ in their probabilities.
    for each in made.parameters():
        torch.nn.init.normal_(each)
    return made.eval()


@pytest.fixture
def maps_NPC() -> Tensor:  # noqa: N802  the letters tell the shape
    """What was seen of four pictures."""
    return torch.randn(4, 10, 6, generator=torch.Generator().manual_seed(1))


def padded(tokens: Tensor) -> Tensor:
    """Fills captions up with END to MOST words."""
    return torch.nn.functional.pad(tokens, (0, MOST - tokens.shape[-1]), value=END)


def log_probability(net: Captioner, maps_NPC: Tensor, said_NT: Tensor) -> Tensor:
    """Gives that of whole captions f32[N], END included, where START and UNKNOWN are never said."""
    heard_NT = torch.cat([torch.full_like(said_NT[:, :1], START), said_NT[:, :-1]], 1)
    logits_NTV = net(maps_NPC, heard_NT.unsqueeze(1))[0].squeeze(1)
    logits_NTV[..., [START, UNKNOWN]] = float("-inf")
    log_NT = torch.log_softmax(logits_NTV, 2).gather(2, said_NT.unsqueeze(2)).squeeze(2)
    counts_NT = torch.cat([torch.ones_like(said_NT[:, :1]), (said_NT[:, :-1] != END).long()], 1)
    return (log_NT * counts_NT).sum(1)


def test_forward_is_saying_word_by_word(net: Captioner, maps_NPC: Tensor) -> None:
    """The net trained on whole captions is the net that says one word after another."""
    said_NT = padded(greedy(net, maps_NPC, MOST))
    heard_NT = torch.cat([torch.full_like(said_NT[:, :1], START), said_NT[:, :-1]], 1)
    logits_NTV = net(maps_NPC, heard_NT.unsqueeze(1))[0].squeeze(1)
    logits_NTV[..., [START, UNKNOWN]] = float("-inf")
    best_NT = logits_NTV.argmax(2)
    is_said_NT = heard_NT != END
    assert torch.equal(best_NT[is_said_NT], said_NT[is_said_NT])


def test_captions_of_a_picture_are_those_alone(net: Captioner, maps_NPC: Tensor) -> None:
    """What is said of a picture depends neither on other pictures nor on its other captions."""
    tokens_NRT = torch.randint(3, WORDS, (4, 3, 5), generator=torch.Generator().manual_seed(2))
    together, attention = net(maps_NPC, tokens_NRT)
    alone, alone_attention = net(maps_NPC[1:2], tokens_NRT[1:2, 2:])
    torch.testing.assert_close(together[1, 2], alone[0, 0])
    torch.testing.assert_close(attention[1, 2], alone_attention[0, 0])


def test_attention_is_a_share(net: Captioner, maps_NPC: Tensor) -> None:
    """Over the places of the grid attention adds up to 1; a net without it has none."""
    _, attention_NRTP = net(maps_NPC, torch.full((4, 1, 2), START))
    assert attention_NRTP.shape == (4, 1, 2, 10 if net.attends else 0)
    if net.attends:
        torch.testing.assert_close(attention_NRTP.sum(3), torch.ones(4, 1, 2))


def test_a_beam_of_one_is_greedy(net: Captioner, maps_NPC: Tensor) -> None:
    """A beam that keeps one caption says the most probable words."""
    assert torch.equal(padded(beam(net, maps_NPC, 1, MOST)), padded(greedy(net, maps_NPC, MOST)))


@torch.no_grad()
def test_a_wide_beam_finds_the_most_probable(net: Captioner, maps_NPC: Tensor) -> None:
    """A beam as wide as there are captions of two words finds the most probable of all of them."""
    wide_NT = beam(net, maps_NPC, 100, 2)
    known = [END, *range(UNKNOWN + 1, WORDS)]
    every = torch.tensor([(first, second if first else END) for first in known for second in known])
    for place in range(4):
        scores = log_probability(net, maps_NPC[place].expand(len(every), -1, -1), every)
        assert scores.max() == pytest.approx(
            log_probability(net, maps_NPC[place : place + 1], wide_NT[place : place + 1]).item(), abs=1e-4
        )


def test_drawn_captions_follow_the_probabilities(net: Captioner, maps_NPC: Tensor) -> None:
    """Of many drawn captions, the share that begins with a word is that word's probability, which is told with it."""
    torch.manual_seed(0)
    said_NRT, log_NRT = drawn(net, maps_NPC[:1], 20_000, 1)
    logits_V = net(maps_NPC[:1], torch.full((1, 1, 1), START))[0].flatten()
    logits_V[[START, UNKNOWN]] = float("-inf")
    shares_V = torch.bincount(said_NRT.flatten(), minlength=WORDS) / 20_000
    torch.testing.assert_close(shares_V, torch.softmax(logits_V, 0).detach(), atol=0.02, rtol=0)
    torch.testing.assert_close(log_NRT.flatten(), torch.log_softmax(logits_V, 0)[said_NRT.flatten()])
    assert log_NRT.requires_grad


def test_nothing_follows_an_end(net: Captioner, maps_NPC: Tensor) -> None:
    """After END there is END alone, and no caption has the words that stand for others."""
    torch.manual_seed(0)
    said = torch.cat([padded(drawn(net, maps_NPC, 50, MOST)[0]).flatten(0, 1), padded(beam(net, maps_NPC, 3, MOST))])
    is_over = (said == END).cumsum(1) > 0
    assert (said[is_over] == END).all()
    assert not torch.isin(said, torch.tensor([START, UNKNOWN])).any()
    assert is_over.any()
