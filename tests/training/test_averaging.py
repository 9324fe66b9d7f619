from typing import Any, Literal

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from training.averaging import Average, Update, averaging, plain_average, running_average

EPOCHS = 4
STEPS_AN_EPOCH = 2


def average_of(values: list[float], update: Update) -> float:
    """Gives the average after a weight took these values one after the other."""
    weight = nn.ParameterList([torch.zeros(1)])
    averaged = AveragedModel(weight, multi_avg_fn=update)
    for value in values:
        nn.init.constant_(weight[0], value)
        averaged.update_parameters(weight)
    return next(averaged.parameters()).item()


def test_constants_stay_exactly() -> None:
    """What does not change is not rounded away, however many steps there are."""
    constant = float(torch.tensor(0.1307))
    assert average_of([constant] * 1000, running_average(0.999)) == constant
    assert average_of([constant] * 1000, plain_average) == constant


def test_forgets_the_start_soon() -> None:
    """After twenty steps the random start hardly counts, though a plain average would keep 98 % of it."""
    assert average_of([100.0] + [1.0] * 20, running_average(0.999)) == pytest.approx(1, abs=1)


def test_settles_on_the_decay() -> None:
    """In the long run each step moves the average by its share."""
    assert average_of([0.0] * 500, running_average(0.9)) == 0
    assert average_of([0.0] * 500 + [1.0], running_average(0.9)) == pytest.approx(0.1)


def test_plain_average_is_the_mean() -> None:
    """A plain average is the sum of all weights by their number."""
    assert average_of([1.0, 4.0, -2.0, 9.0], plain_average) == pytest.approx(3)


@pytest.mark.parametrize("update", [running_average(0.5), plain_average])
def test_counters_are_taken_as_they_are(update: Update) -> None:
    """Whole numbers among the buffers, such as batch norm's count of batches, are the current ones: no averages."""
    norm = nn.BatchNorm1d(1)
    averaged = AveragedModel(norm, multi_avg_fn=update, use_buffers=True)
    for value in (2.0, 4.0):
        norm.train()(torch.tensor([[value], [value]]))
        averaged.update_parameters(norm)
    count, mean = averaged.module.get_buffer("num_batches_tracked"), averaged.module.get_buffer("running_mean")
    assert (count.item(), count.dtype) == (2, torch.int64)
    # Batch norm's own running means are 0.2 and 0.58; the second update of a running average keeps 2/11.
    assert mean.item() == pytest.approx((0.2 + 0.58) / 2 if update is plain_average else 0.2 + 0.38 * 9 / 11)


class Counting(LightningModule):
    """A net of one weight, which every step makes larger by 1, and which notes what validation sees of it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.steps: Tensor
        self.register_buffer("steps", torch.tensor(0))
        self.seen: list[tuple[float, int]] = []

    def training_step(self, batch: Tensor) -> Tensor:
        """Gives a loss whose gradient is -1."""
        self.steps += 1
        return -self.weight.sum()

    def validation_step(self, batch: Tensor) -> None:
        """Notes the weight and the counter."""
        self.seen.append((self.weight.item(), int(self.steps)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gives the optimiser that takes each gradient as a step."""
        return torch.optim.SGD(self.parameters(), lr=1)


def fitted(settings: Average) -> Counting:
    """Gives the net after some epochs."""
    net = Counting()
    batches: DataLoader[Any] = DataLoader(torch.zeros(STEPS_AN_EPOCH, 1))  # type: ignore[arg-type]  # a tensor will do
    Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        callbacks=averaging(settings, EPOCHS),  # type: ignore[arg-type]  # a list of callbacks
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    ).fit(net, batches, DataLoader(torch.zeros(1, 1)))  # type: ignore[arg-type]  # as above
    return net


LIGHTNING = pytest.mark.filterwarnings(
    "ignore:.*isinstance.treespec, LeafSpec.:FutureWarning", "ignore:.*does not have many workers"
)


@LIGHTNING
@pytest.mark.parametrize(
    ("kind", "start", "seen"),
    [
        ("none", 0.0, [2, 4, 6, 8]),
        # Of the epochs' last weights 4, 6 and 8, and before them that of the epoch itself.
        ("swa", 0.25, [2, 4, (4 + 6) / 2, (4 + 6 + 8) / 3]),
        ("swa", 0.0, [2, 3, 4, 5]),
        ("swa", 0.99, [2, 4, 6, 8]),
    ],
)
def test_validation_sees_the_average(kind: Literal["none", "swa"], start: float, seen: list[float]) -> None:
    """Each epoch is validated with the average up to its end, with which training ends; the counters are current."""
    net = fitted(Average(kind=kind, start=start))
    assert [weight for weight, _ in net.seen] == pytest.approx(seen)
    assert [steps for _, steps in net.seen] == [2, 4, 6, 8]
    assert net.weight.item() == pytest.approx(seen[-1])


@LIGHTNING
def test_running_average_moves_each_step() -> None:
    """The running average starts with the first step's weights, keeps little of them at first and its decay later."""
    average, expected = 1.0, []
    for step in range(2, STEPS_AN_EPOCH * EPOCHS + 1):
        kept = min(0.3, step / (step + 9))
        average = kept * average + (1 - kept) * step
        if step % STEPS_AN_EPOCH == 0:
            expected.append(average)
    net = fitted(Average(kind="ema", decay=0.3))
    assert [weight for weight, _ in net.seen] == pytest.approx(expected)


@pytest.mark.parametrize("settings", [{"decay": 1.0}, {"decay": 0.0}, {"start": 1.0}, {"kind": "mean"}])
def test_refuses_settings_that_cannot_be(settings: dict[str, object]) -> None:
    """An average is checked when it is made, and the text names the setting."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        Average(**settings)  # type: ignore[arg-type]  # one wrong setting at a time
