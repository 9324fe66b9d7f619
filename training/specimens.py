"""What a net in training writes by now, for people to watch it learn."""

import time
from typing import Final

import click
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from hondo import characters
from protos.manifest_pb2 import TextGeneration
from training.language_model import LanguageModel
from training.models.recurrent import Recurrent
from training.seeds import seed_at
from training.writing import write

_CHARACTERS: Final = 200
_TEMPERATURE: Final = 0.8
# Steps of the first epoch after which it writes: that is when its writing changes most.
_FIRST_STEPS: Final = frozenset({25, 100, 400})
_EVERY_S: Final = 20.0


class Specimens(Callback):
    """Prints some text that the net writes: before the training, a few times in the first epoch, then by epochs."""

    def __init__(self, task: TextGeneration, seed: int) -> None:
        self._task = task
        self._seed = seed
        self._last_s = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Shows what chance writes."""
        if trainer.global_step == 0:
            self._show(trainer, pl_module, "at first")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        """Shows the first steps' progress."""
        if trainer.global_step in _FIRST_STEPS and trainer.current_epoch == 0:
            self._show(trainer, pl_module, f"after {trainer.global_step} steps")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Shows an epoch's progress, but not of many short ones."""
        if time.monotonic() - self._last_s >= _EVERY_S:
            self._show(trainer, pl_module, f"after epoch {trainer.current_epoch + 1}")

    def _show(self, trainer: Trainer, pl_module: LightningModule, when: str) -> None:
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, LanguageModel)
        text = characters.decode(self._written(pl_module.net, trainer.global_step), self._task.vocabulary)
        click.echo(f"{when} it writes:")
        click.echo("".join(f"    | {line}\n" for line in text.splitlines()), nl=False)
        self._last_s = time.monotonic()

    def _written(self, net: Recurrent, step: int) -> list[int]:
        was_training = net.training
        start_T = torch.tensor([self._task.start], device=net.output.weight.device)
        generator = torch.Generator().manual_seed(seed_at(self._seed, step))
        with torch.autocast(start_T.device.type, enabled=False):
            tokens = write(net.eval(), start_T, _CHARACTERS, _TEMPERATURE, generator)
        net.train(was_training)
        return tokens
