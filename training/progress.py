"""What a person sees while a net trains."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import click
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]  # has no stubs of its own

from training.classifier import TRAIN_LOSS

# Where no terminal shows the bar, a line is printed no more often than this.
_LINE_EVERY_S: Final = 10.0


class Progress(Callback):
    """One bar for the whole run, with the time that is left; plain lines where the output is no terminal.

    Args:
        says: makes of an epoch's logged figures what a person reads of its validation.
    """

    def __init__(self, says: Callable[[Mapping[str, Tensor]], str]) -> None:
        self._says = says
        self._bar: tqdm | None = None
        self._last_line_s = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Says what computes, and shows the bar."""
        if not trainer.is_global_zero:
            return
        processes = f", {trainer.world_size} processes" if trainer.world_size > 1 else ""
        click.echo(f"training on {trainer.strategy.root_device}{processes}")
        if sys.stderr.isatty():
            total = int(trainer.estimated_stepping_batches)
            self._bar = tqdm(total=total, initial=trainer.global_step, unit=" batches", dynamic_ncols=True, leave=False)

    def on_train_batch_end(self, *_: object) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Shows the epoch's figures."""
        if not trainer.is_global_zero:
            return
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        figures = trainer.callback_metrics
        scores = f"loss {figures[TRAIN_LOSS]:.4f}, {self._says(figures)}"
        if self._bar is not None:
            self._bar.set_description(f"{epoch}, {scores}")
        elif time.monotonic() - self._last_line_s >= _LINE_EVERY_S:
            click.echo(f"{epoch}: {scores}")
            self._last_line_s = time.monotonic()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Says, when a person stops the run, how to go on."""
        if isinstance(exception, KeyboardInterrupt) and trainer.is_global_zero and trainer.current_epoch > 0:
            click.echo(
                f"\nstopped in epoch {trainer.current_epoch + 1}: the same command with --resume goes on from there"
            )

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()
