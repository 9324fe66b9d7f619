import math
from typing import Literal, get_args

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from training.schedules import Schedule, scheduler

Kind = Literal["constant", "step", "cosine", "one_cycle"]
STEPS = 20


def rates(settings: Schedule, steps: int = STEPS, optimizer: Optimizer | None = None) -> list[float]:
    """Gives the learning rate that each step of a run takes; the highest is 1."""
    optimizer = optimizer or SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = scheduler(settings, optimizer, steps, cycle_momentum=False)
    taken = []
    for _ in range(steps):
        taken.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return taken


def test_constant_stays() -> None:
    """Without a schedule every step takes the same learning rate."""
    assert rates(Schedule()) == [1.0] * STEPS


def test_steps_down_at_its_milestones() -> None:
    """At each milestone, a share of the run, the learning rate is multiplied by the factor."""
    settings = Schedule(kind="step", milestones=(0.5, 0.75), factor=0.1)
    assert rates(settings) == pytest.approx([1.0] * 10 + [0.1] * 5 + [0.01] * 5)


def test_milestones_keep_their_place_after_a_warmup() -> None:
    """A warmup moves no milestone: shares are of the whole run."""
    settings = Schedule(kind="step", warmup=0.2, milestones=(0.5, 0.75), factor=0.1)
    rising = [(step + 1) / 5 for step in range(4)]
    assert rates(settings) == pytest.approx(rising + [1.0] * 6 + [0.1] * 5 + [0.01] * 5)


def test_cosine_goes_down_to_nothing() -> None:
    """The cosine's learning rate at a step is (1 + cos(pi t)) / 2 of the highest, t the share of the run gone by."""
    expected = [(1 + math.cos(math.pi * step / STEPS)) / 2 for step in range(STEPS)]
    assert rates(Schedule(kind="cosine")) == pytest.approx(expected)


def test_cosine_begins_after_its_warmup() -> None:
    """The warmup rises in equal parts to the highest learning rate, from where the cosine has the rest of the run."""
    rising = [(step + 1) / 6 for step in range(5)]
    falling = [(1 + math.cos(math.pi * step / 15)) / 2 for step in range(15)]
    assert rates(Schedule(kind="cosine", warmup=0.25)) == pytest.approx(rising + falling)


def test_one_cycle_rises_and_falls_once() -> None:
    """One cycle starts at a 25th, is highest where the warmup ends, and falls from there to next to nothing."""
    taken = rates(Schedule(kind="one_cycle", warmup=0.25), steps=100)
    highest = max(range(100), key=taken.__getitem__)
    assert taken[0] == pytest.approx(1 / 25)
    assert highest == 24
    assert taken[highest] == pytest.approx(1)
    assert taken[:25] == sorted(taken[:25])
    assert taken[24:] == sorted(taken[24:], reverse=True)
    assert taken[-1] == pytest.approx(1 / 25 / 1e4)


@pytest.mark.parametrize(
    ("optimizer", "name"), [(SGD([nn.Parameter(torch.zeros(1))], 1.0, 0.9), "momentum"), (AdamW([nn.Parameter()]), "")]
)
def test_one_cycle_moves_momentum_the_other_way(optimizer: Optimizer, name: str) -> None:
    """Momentum, or Adam's beta 1, is 0.95 while the learning rate is low and 0.85 where it is highest."""
    schedule = scheduler(Schedule(kind="one_cycle", warmup=0.5), optimizer, STEPS, cycle_momentum=True)
    taken = []
    for _ in range(STEPS):
        (group,) = optimizer.param_groups
        taken.append(group[name] if name else group["betas"][0])
        optimizer.step()
        schedule.step()
    assert (taken[0], min(taken), taken[-1]) == pytest.approx((0.95, 0.85, 0.95))
    assert taken.index(min(taken)) == 9


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
def test_even_the_shortest_run_has_a_schedule(kind: Kind, warmup: float) -> None:
    """Runs of any number of steps, however few, take learning rates above 0 and no higher than the highest."""
    for steps in range(1, 8):
        settings = Schedule(kind=kind, warmup=warmup, milestones=(0.995,))
        taken = rates(settings, steps)
        assert all(0 < rate <= 1 for rate in taken), (steps, taken)
        assert max(taken) > 0.01


@pytest.mark.parametrize("kind", get_args(Kind))
def test_resumes_where_it_was(kind: Kind) -> None:
    """A schedule that is put back to its state gives the same learning rates as one that was never stopped."""
    settings = Schedule(kind=kind, warmup=0.2)
    whole = rates(settings)
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = scheduler(settings, optimizer, STEPS, cycle_momentum=False)
    for _ in range(7):
        optimizer.step()
        schedule.step()
    again = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    resumed = scheduler(settings, again, STEPS, cycle_momentum=False)
    resumed.load_state_dict(schedule.state_dict())
    again.load_state_dict(optimizer.state_dict())
    taken = []
    for _ in range(7, STEPS):
        taken.append(float(again.param_groups[0]["lr"]))
        again.step()
        resumed.step()
    assert taken == pytest.approx(whole[7:])


@pytest.mark.parametrize("settings", [{"warmup": 1.0}, {"factor": 0.0}, {"milestones": (1.5,)}, {"kind": "linear"}])
def test_refuses_settings_that_cannot_be(settings: dict[str, object]) -> None:
    """A schedule is checked when it is made, and the text names the setting."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        Schedule(**settings)  # type: ignore[arg-type]  # one wrong setting at a time


def test_refuses_milestones_within_the_warmup() -> None:
    """A milestone before the end of the warmup would never come."""
    with pytest.raises(ValueError, match="milestones"):
        Schedule(kind="step", warmup=0.5, milestones=(0.25, 0.75))
