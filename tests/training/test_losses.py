"""Legend: N batch, K classes."""

import math

import pytest
import torch
from torch.nn import functional

from hondo.errors import InvalidRequest
from training.losses import Loss, loss, widened

LOGITS_NK = torch.tensor([[0.0, math.log(3.0)], [math.log(4.0), 0.0]])
# Their softmax.
PROBABILITY_NK = [[0.25, 0.75], [0.8, 0.2]]
TARGET_NK = torch.tensor([[0.0, 1.0], [0.0, 1.0]])


def test_cross_entropy() -> None:
    """Cross-entropy is the mean of -log of the probability that the truth got."""
    value = loss(Loss(), 2)(LOGITS_NK, TARGET_NK)
    assert value.item() == pytest.approx(-(math.log(0.75) + math.log(0.2)) / 2)


def test_binary_cross_entropy() -> None:
    """For two classes it is -log of the truth's probability as well, by one logit's sigmoid."""
    value = loss(Loss(kind="binary_cross_entropy"), 2)(LOGITS_NK, TARGET_NK)
    assert value.item() == pytest.approx(-(math.log(0.75) + math.log(0.2)) / 2)


def test_mse() -> None:
    """The mean square is that of all probabilities' distances from 0 and 1."""
    value = loss(Loss(kind="mse"), 2)(LOGITS_NK, TARGET_NK)
    assert value.item() == pytest.approx((0.25**2 + 0.25**2 + 0.8**2 + 0.8**2) / 4)


def test_smooths_labels() -> None:
    """Smoothing by 0.2 over 4 classes asks for 0.85 of the truth and for 0.05 of each other class."""
    logits_NK = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    target_NK = functional.one_hot(torch.tensor([2]), 4).float()
    log_NK = torch.log_softmax(logits_NK, dim=1)
    expected = -(0.05 * log_NK[0, [0, 1, 3]].sum() + 0.85 * log_NK[0, 2])
    value = loss(Loss(label_smoothing=0.2), 4)(logits_NK, target_NK)
    assert value.item() == pytest.approx(expected.item())


def test_smooths_binary_labels() -> None:
    """Smoothing by 0.2 asks for 0.9 and 0.1 of two classes, whichever way their cross-entropy is computed."""
    expected = -(0.9 * math.log(0.75) + 0.1 * math.log(0.25) + 0.9 * math.log(0.2) + 0.1 * math.log(0.8)) / 2
    for settings in (
        Loss(kind="binary_cross_entropy", label_smoothing=0.2),
        Loss(kind="cross_entropy", label_smoothing=0.2),
    ):
        assert loss(settings, 2)(LOGITS_NK, TARGET_NK).item() == pytest.approx(expected)


@pytest.mark.parametrize("settings", [Loss(), Loss(kind="binary_cross_entropy"), Loss(kind="mse")])
def test_is_least_where_the_answer_is_right(settings: Loss) -> None:
    """Going down each loss leads to the truth, and stays finite for a net that is sure, even if it is wrong."""
    sure_NK = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    right_NK, wrong_NK = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    measure = loss(settings, 2)
    assert measure(sure_NK, right_NK).item() == pytest.approx(0, abs=1e-6)
    worst = measure(sure_NK, wrong_NK)
    worst.backward()  # type: ignore[no-untyped-call]  # torch's own is untyped
    assert torch.isfinite(worst)
    assert worst > 0.9
    assert sure_NK.grad is not None
    assert torch.isfinite(sure_NK.grad).all()


def test_binary_needs_two_classes() -> None:
    """Binary cross-entropy says how many classes it is for."""
    with pytest.raises(InvalidRequest, match="for two classes, not 3"):
        loss(Loss(kind="binary_cross_entropy"), 3)


@pytest.mark.parametrize("logit", [-3.0, 0.0, 1.5])
def test_one_logit_stands_for_two_classes(logit: float) -> None:
    """A net with one output says sigmoid(output) of the second class; one with more is left as it is."""
    probability_NK = torch.softmax(widened(torch.tensor([[logit]])), dim=1)
    assert probability_NK[0].tolist() == pytest.approx([1 - 1 / (1 + math.exp(-logit)), 1 / (1 + math.exp(-logit))])
    assert widened(LOGITS_NK) is LOGITS_NK


@pytest.mark.parametrize("settings", [{"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"kind": "hinge"}])
def test_refuses_settings_that_cannot_be(settings: dict[str, object]) -> None:
    """A loss is checked when it is made, and the text names the setting."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        Loss(**settings)  # type: ignore[arg-type]  # one wrong setting at a time
