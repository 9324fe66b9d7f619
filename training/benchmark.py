"""`python -m training.benchmark`: how much of a bare PyTorch loop's speed `hondo train` has, for all it does besides.

Both train the same net by the same recipe on the same batches: the same distortions, loss, optimiser, schedule, average
and precision. They take turns, so that what else the machine does meets both; validation and checkpoints, which a loop
needs as well, are not in the time of either.
"""

import gc
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.optim.swa_utils import AveragedModel

from training import options, precision, recipe
from training.averaging import running_average
from training.checkpoint import Facts
from training.classifier import Classifier
from training.data.batches import Batches, Order, TrainingData
from training.data.choice import choose
from training.data.dataset import Examples
from training.fit import Devices, quiet, trainer, unfilled, untrained
from training.optimizers import optimizer
from training.recipe import LimitsNorms
from training.schedules import scheduler
from training.seeds import seed_at

# Steps before the clock starts.
_WARMUP_STEPS: Final = 5
_VALIDATION_EXAMPLES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What both train."""

    facts: Facts
    # As many as there are steps, and those to warm up with.
    train: Examples
    validation: Examples
    steps: int
    accelerator: str

    @property
    def device(self) -> torch.device:
        """What computes."""
        return torch.device("cuda" if self.accelerator != "cpu" and torch.cuda.is_available() else "cpu")


@dataclass(frozen=True, slots=True, eq=False)
class Lap:
    """What came of a turn."""

    # Of the steps that were timed.
    seconds: float
    # With its averaged weights, where the recipe averages.
    net: nn.Module


@click.command()
@click.argument("model")
@options.data
@click.option("--steps", type=click.IntRange(1), default=50, show_default=True, help="Steps that are timed at a time.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns that each takes.")
@click.option("--batch-size", type=click.IntRange(1), show_default="the model's recipe")
@click.option("--accelerator", default="auto", show_default=True, help="Lightning's: cpu, gpu, ...")
def benchmark(
    *, model: str, data: str | None, steps: int, rounds: int, batch_size: int | None, accelerator: str
) -> None:
    """Train MODEL for some steps by `hondo train`'s loop and by a bare one, in turns, and compare examples a second."""
    course = plan(model, data, steps, batch_size, accelerator)
    examples = steps * course.facts.recipe.batch_size
    threads = torch.get_num_threads()
    click.echo(
        f"{model} on {course.device}, {threads} threads, {steps} steps of {course.facts.recipe.batch_size} a turn"
    )
    ratios = []
    for number in range(rounds):
        # Whoever came second begins the next round.
        timed = {loop: loop(course).seconds for loop in ((ours, bare), (bare, ours))[number % 2]}
        ratios.append(timed[bare] / timed[ours])
        click.echo(
            f"round {number + 1}  hondo {examples / timed[ours]:10,.1f}/s  bare {examples / timed[bare]:10,.1f}/s  "
            f"ratio {ratios[-1]:.3f}"
        )
    click.echo(f"median ratio {statistics.median(ratios):.3f}")


def plan(model: str, data: str | None, steps: int, batch_size: int | None, accelerator: str) -> Course:
    """Gives what both loops train."""
    size = {} if batch_size is None else {"batch_size": str(batch_size)}
    settings = recipe.find(model).changed({"epochs": "1", **size})
    data_set = choose(data, settings)
    task = data_set.task(settings.input)
    # The clock is read as a step begins: one more has to come after the last.
    count = (_WARMUP_STEPS + steps + 1) * settings.batch_size
    raw = data_set.train.take(np.arange(min(count, len(data_set.train))))
    examples = raw.fit(task)
    return Course(
        facts=Facts(recipe=settings, task=task, data=(data_set.source,), seed=0),
        train=examples.take(np.arange(count) % len(examples)),
        validation=examples.take(np.arange(_VALIDATION_EXAMPLES)),
        steps=steps,
        accelerator=accelerator,
    )


class _Stopwatch(Callback):
    """Reads the clock as steps begin."""

    def __init__(self) -> None:
        self.begun_s: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.begun_s.append(_now(pl_module.device))


def _now(device: torch.device) -> float:
    """Gives the time in seconds at which all that was asked for is done."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.synchronize(device)
    return time.perf_counter()


def ours(course: Course) -> Lap:
    """Trains by `hondo train`'s loop."""
    watch, facts = _Stopwatch(), course.facts
    gc.collect()
    with tempfile.TemporaryDirectory() as folder, quiet(), unfilled():
        made = trainer(facts, Path(folder), Devices(accelerator=course.accelerator, devices="1"))
        made.callbacks.insert(0, watch)  # type: ignore[attr-defined]  # Lightning sets it elsewhere
        data = TrainingData(course.train, course.validation, facts.recipe.batch_size, facts.seed)
        net = first(course)
        made.fit(net, datamodule=data)
    return Lap(_taken_s(watch.begun_s, course), net.net)


def bare(course: Course) -> Lap:
    """Trains by a bare loop."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    gc.collect()
    net = first(course).to(course.device).train()
    averages = course.facts.recipe.average
    average = AveragedModel(net, multi_avg_fn=running_average(averages.decay), use_buffers=True)
    try:
        begun_s = [_now(course.device) for _ in _steps(course, net, average)]
    finally:
        torch.use_deterministic_algorithms(deterministic)
    kept = average.module if averages.kind == "ema" else net
    return Lap(_taken_s(begun_s, course), kept.get_submodule("net"))


def first(course: Course) -> Classifier:
    """Gives the net as it is before training; the random numbers that follow are those of the first epoch."""
    torch.manual_seed(course.facts.seed)
    net = untrained(course.facts, course.train)
    torch.manual_seed(seed_at(course.facts.seed, 0, 0))
    return net


def _taken_s(begun_s: list[float], course: Course) -> float:
    return begun_s[_WARMUP_STEPS + course.steps] - begun_s[_WARMUP_STEPS]


def _steps(course: Course, net: Classifier, average: AveragedModel) -> Iterator[int]:
    """Trains, and stops before each step."""
    settings, device = course.facts.recipe, course.device
    batches = _batches(course)
    made = optimizer(settings.optimizer, net.net.parameters())
    rates = scheduler(settings.schedule, made, len(batches), cycle_momentum=settings.optimizer.has_momentum)
    numbers = precision.choose(settings.precision, course.accelerator)
    kind = torch.float16 if numbers == "16-mixed" else torch.bfloat16
    scaler = torch.amp.GradScaler(device.type, enabled=numbers == "16-mixed")
    for step, (inputs, label_N) in enumerate(batches):
        yield step
        with torch.autocast(device.type, kind, enabled=numbers != "32-true"):
            value = net.loss(inputs.to(device), label_N.to(device))
        made.zero_grad()
        scaler.scale(value).backward()  # type: ignore[no-untyped-call]  # torch's own is untyped
        if settings.max_gradient_norm:
            scaler.unscale_(made)
            torch.nn.utils.clip_grad_norm_(net.net.parameters(), settings.max_gradient_norm)
        scaler.step(made)
        scaler.update()
        if settings.max_norm and isinstance(net.net, LimitsNorms):
            net.net.limit_norms(settings.max_norm)
        rates.step()
        if settings.average.kind == "ema":
            average.update_parameters(net)


def _batches(course: Course) -> Batches:
    size, seed = course.facts.recipe.batch_size, course.facts.seed
    order = Order(examples=len(course.train), batch_size=size, shuffle_seed=seed, rank=0, processes=1)
    return Batches(course.train, order)


if __name__ == "__main__":
    benchmark()
