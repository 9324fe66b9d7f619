"""Legend: N streams, T characters of a window."""

from typing import cast

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.nn import functional

from protos.manifest_pb2 import TextGeneration
from training import recipe
from training.language_model import LanguageModel

TOKENS_NT = torch.randint(4, (3, 13), generator=torch.Generator().manual_seed(2))


@pytest.fixture
def model() -> LanguageModel:
    torch.manual_seed(3)
    small = recipe.find("char-lstm").changed({"net.width": "6", "net.dimensions": "4", "net.dropout": "0"})
    plain = small.changed({"net.input_dropout": "0", "net.recurrent_dropout": "0"})
    made = LanguageModel(plain, TextGeneration(vocabulary="abcd"), seed=0)
    made.trainer = cast(Trainer, _Middle())
    made.on_train_epoch_start()
    return made


class _Middle:
    """Stands for a trainer in the middle of its first epoch, which is all that a step looks at."""

    is_last_batch = False
    current_epoch = 0
    global_rank = 0
    strategy = None


def mean(losses: list[Tensor]) -> Tensor:
    return torch.stack(losses).mean()


def test_windows_together_lose_what_the_text_loses(model: LanguageModel) -> None:
    """The mean loss over windows, the state carried from each to the next, is that of the text read at once."""
    losses = [model.training_step(TOKENS_NT[:, start : start + 5]) for start in (0, 4, 8)]
    logits_NTV, _ = model.net(TOKENS_NT[:, :-1])
    whole = functional.cross_entropy(logits_NTV.flatten(0, 1), TOKENS_NT[:, 1:].flatten())
    torch.testing.assert_close(mean(losses), whole)


def test_gradient_ends_where_the_window_began(model: LanguageModel) -> None:
    """A window's gradient is that of its own characters, from a state that is given."""
    model.training_step(TOKENS_NT[:, :5])
    _, state = model.net(TOKENS_NT[:, :4])
    model.training_step(TOKENS_NT[:, 4:9]).backward()  # type: ignore[no-untyped-call]
    found = [weights.grad.clone() for weights in model.net.parameters() if weights.grad is not None]
    model.zero_grad()
    logits_NTV, _ = model.net(TOKENS_NT[:, 4:8], tuple(part.detach() for part in state))
    value = functional.cross_entropy(logits_NTV.flatten(0, 1), TOKENS_NT[:, 5:9].flatten())
    value.backward()  # type: ignore[no-untyped-call]
    expected = [weights.grad for weights in model.net.parameters()]
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_an_epoch_begins_with_an_empty_memory(model: LanguageModel) -> None:
    """What the last epoch's text left is forgotten when the text begins anew, and when validation does."""
    first = model.training_step(TOKENS_NT)
    assert not torch.equal(model.training_step(TOKENS_NT), first)
    model.on_train_epoch_start()
    torch.testing.assert_close(model.training_step(TOKENS_NT), first)


def test_is_a_module_of_lightning(model: LanguageModel) -> None:
    """Its checkpoints have the net's weights under their names."""
    assert isinstance(model, LightningModule)
    assert {name.split(".")[0] for name in model.state_dict()} == {"net"}
