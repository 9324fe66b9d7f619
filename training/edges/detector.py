"""How a net learns to tell edges: one step, one validation, one optimiser.

Legend: N crops, M maps: the side outputs, then their fusion; P crop's side, H height, W width, C channels.
"""

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from training.classifier import TRAIN_LOSS, VALIDATION_LOSS
from training.edges.loss import balanced_cross_entropy
from training.edges.recipe import EdgeRecipe
from training.edges.score import PixelScore
from training.optimizers import optimizer
from training.pixels import Pixels
from training.schedules import scheduler
from training.seeds import seed_at

# Percent; see `PixelScore`.
VALIDATION_F = "validation_f_percent"


class Detector(LightningModule):
    """A net in training, behind the code that makes its input of a picture."""

    def __init__(self, recipe: EdgeRecipe, seed: int) -> None:
        super().__init__()
        self.front = Pixels(recipe.input.mean, recipe.input.std)
        # On CPUs convolutions are up to twice as fast with the channels last.
        self.net = recipe.make().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in stubs
        self._recipe = recipe
        self._seed = seed
        self._losses: list[Tensor] = []
        self._score = PixelScore()

    def on_train_epoch_start(self) -> None:
        """Makes the epoch's random numbers independent of what came before, of which a resumed run knows nothing."""
        self._losses.clear()
        torch.manual_seed(seed_at(self._seed, self.current_epoch, self.global_rank))

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Gives the loss on image_NCPP f32 in 0..1 and truth_NPP u8."""
        image_NCPP, truth_NPP = batch
        value = balanced_cross_entropy(self.net(self.front.normalise(image_NCPP)).float(), truth_NPP)
        self._losses.append(value.detach())
        if self.trainer.is_last_batch:
            mean = torch.stack(self._losses).mean()
            self.log(TRAIN_LOSS, mean, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)
        return value

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Measures the net as it will be served, on a whole picture: image_HWC u8 and truth_HW u8."""
        image_HWC, truth_HW = batch
        logit_1MHW = self.net(self.front(image_HWC[None])).float()
        self._score.add(torch.sigmoid(logit_1MHW[0, -1]), truth_HW)
        self.log(VALIDATION_LOSS, balanced_cross_entropy(logit_1MHW, truth_HW[None]), batch_size=1, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Logs F over all validation pictures."""
        # Every process computes the same; their mean, which Lightning insists on, changes nothing.
        self.log(VALIDATION_F, 100 * self._score.best(), sync_dist=True)
        self._score.reset()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Gives the recipe's optimiser and its schedule over the whole run."""
        settings = self._recipe.optimizer
        made = optimizer(settings, self.net.parameters())
        steps = int(self.trainer.estimated_stepping_batches)
        rates = scheduler(self._recipe.schedule, made, steps, cycle_momentum=settings.has_momentum)
        return {"optimizer": made, "lr_scheduler": {"scheduler": rates, "interval": "step"}}
