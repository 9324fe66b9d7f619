"""How a net learns to foretell a text's next character: back-propagation through time, cut into windows.

Williams, Peng, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories", 1990.

Legend: N streams, T characters of a window.
"""

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional

from protos.manifest_pb2 import TextGeneration
from training.classifier import TRAIN_LOSS, VALIDATION_LOSS
from training.models.recurrent import Recurrent, State
from training.recipe import Recipe
from training.schedules import stepped
from training.seeds import seed_at


class LanguageModel(LightningModule):
    """A recurrent net in training; what it remembers is carried from each window to the next."""

    def __init__(self, recipe: Recipe, task: TextGeneration, seed: int) -> None:
        super().__init__()
        net = recipe.make(task)
        assert isinstance(net, Recurrent), "recipes for characters build recurrent nets"
        self.net = net
        self._recipe = recipe
        self._seed = seed
        self._state: State | None = None
        self._losses: list[Tensor] = []

    def on_train_epoch_start(self) -> None:
        """Begins the text anew, with random numbers that do not depend on what came before."""
        self._state = None
        self._losses.clear()
        torch.manual_seed(seed_at(self._seed, self.current_epoch, self.global_rank))

    def training_step(self, tokens_NT: Tensor) -> Tensor:
        """Gives the loss in nats a character on i64[N,T+1]."""
        value, self._state = self._measure(tokens_NT, self._state)
        self._losses.append(value.detach())
        if self.trainer.is_last_batch:
            mean = torch.stack(self._losses).mean()
            self.log(TRAIN_LOSS, mean, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)
        return value

    def _measure(self, tokens_NT: Tensor, before: State | None) -> tuple[Tensor, State]:
        logits_NTV, after = self.net(tokens_NT[:, :-1], before)
        value = functional.cross_entropy(logits_NTV.float().flatten(0, 1), tokens_NT[:, 1:].flatten())
        # The gradient ends where the window began.
        return value, tuple(part.detach() for part in after)

    def on_validation_epoch_start(self) -> None:
        """Keeps the training's memory out of the validation."""
        self._state = None

    def validation_step(self, tokens_NT: Tensor) -> None:
        """Measures the net in 32 bits, as it will be served."""
        with torch.autocast(self.device.type, enabled=False):
            value, self._state = self._measure(tokens_NT, self._state)
        self.log(VALIDATION_LOSS, value, batch_size=tokens_NT[:, 1:].numel(), sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Gives the recipe's optimiser and its schedule over the whole run."""
        recipe, steps = self._recipe, self.trainer.estimated_stepping_batches
        return stepped(recipe.schedule, recipe.optimizer, self.net.parameters(), steps)
