"""How a net learns to tell classes apart: one step, one validation, one optimiser.

Legend: N batch, K classes.
"""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import MulticlassAccuracy

from protos.manifest_pb2 import Classification
from training.augment import WordDropout, augment
from training.inputs import Characters, Image, Table, Text, front
from training.losses import loss, widened
from training.pixels import Pixels
from training.recipe import LimitsNorms, Recipe
from training.schedules import stepped
from training.seeds import seed_at

# Names of what is logged.
TRAIN_LOSS = "train_loss"
VALIDATION_LOSS = "validation_loss"
VALIDATION_ERROR = "validation_error_percent"


class Classifier(LightningModule):
    """A net in training, behind the input's and the augmentation's code."""

    def __init__(self, recipe: Recipe, task: Classification, seed: int) -> None:
        super().__init__()
        classes = len(task.labels)
        self.front = front(recipe.input, task)
        self.net = recipe.make(task)
        self._recipe = recipe
        self._seed = seed
        self._classes = classes
        self._augment = _augmentation(recipe)
        self._loss = loss(recipe.loss, classes)
        self._losses: list[Tensor] = []
        self._accuracy = MulticlassAccuracy(classes, average="micro")
        if isinstance(recipe.input, Image):
            # On CPUs convolutions are up to twice as fast with the channels last.
            self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs

    def on_train_epoch_start(self) -> None:
        """Makes the epoch's random numbers independent of what came before, of which a resumed run knows nothing."""
        self._losses.clear()
        torch.manual_seed(seed_at(self._seed, self.current_epoch, self.global_rank))

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Gives the loss on a graph's inputs and label_N i64."""
        value = self.loss(*batch)
        self._losses.append(value.detach())
        if self.trainer.is_last_batch:
            # To have Lightning keep the mean, step by step, would take a tenth of a small net's time.
            mean = torch.stack(self._losses).mean()
            self.log(TRAIN_LOSS, mean, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)
        return value

    def loss(self, inputs: Tensor, label_N: Tensor) -> Tensor:
        """Gives the loss on a graph's inputs, distorted at random."""
        return self._measure(self.net(self._distorted(inputs)), label_N)[1]

    def _distorted(self, inputs: Tensor) -> Tensor:
        """Gives what the net takes, distorted at random."""
        if isinstance(self.front, Pixels):
            return self.front.normalise(self._augment(self.front.scale(inputs)))
        distorted: Tensor = self._augment(self.front(inputs))
        return distorted

    def _measure(self, output: Tensor, label_N: Tensor) -> tuple[Tensor, Tensor]:
        """Gives logits_NK f32 and the loss."""
        logits_NK = widened(output.float())
        target_NK = functional.one_hot(label_N, self._classes).float()
        return logits_NK, self._loss(logits_NK, target_NK)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Takes Lightning's step, then shortens weight vectors where the recipe asks for it."""
        super().optimizer_step(*args, **kwargs)
        if self._recipe.max_norm:
            assert isinstance(self.net, LimitsNorms), "the recipe has made sure"
            self.net.limit_norms(self._recipe.max_norm)

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Measures the net as it will be served: no augmentation."""
        inputs, label_N = batch
        logits_NK, value = self._measure(self.net(self.front(inputs)), label_N)
        self._accuracy.update(logits_NK, label_N)
        self.log(VALIDATION_LOSS, value, batch_size=len(label_N), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Logs the error over all validation examples."""
        # Every process computes the same; their mean, which Lightning insists on, changes nothing.
        self.log(VALIDATION_ERROR, 100 * (1 - self._accuracy.compute()), sync_dist=True)
        self._accuracy.reset()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Gives the recipe's optimiser and its schedule over the whole run."""
        recipe, steps = self._recipe, self.trainer.estimated_stepping_batches
        return stepped(recipe.schedule, recipe.optimizer, self.net.parameters(), steps)


def _augmentation(recipe: Recipe) -> nn.Module:
    settings = recipe.input
    match settings:
        case Image():
            return augment(recipe.augmentation, settings.height, settings.width, settings.channels)
        case Text():
            return WordDropout(recipe.augmentation.word_dropout)
        case Table() | Characters():
            return nn.Identity()
