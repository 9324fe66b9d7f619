"""How a net learns to tell classes apart: one step, one validation, one optimiser.

Legend: N batch, H height, W width, C channels, K classes.
"""

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torchmetrics.classification import MulticlassAccuracy

from training.augment import augment
from training.pixels import Pixels
from training.recipe import Recipe
from training.seeds import seed_at

# Names of what is logged.
TRAIN_LOSS = "train_loss"
VALIDATION_LOSS = "validation_loss"
VALIDATION_ERROR = "validation_error_percent"


class Classifier(LightningModule):
    """A net in training, behind the pixels' and the augmentation's code."""

    def __init__(self, recipe: Recipe, classes: int, seed: int) -> None:
        super().__init__()
        self.pixels = Pixels(recipe.mean, recipe.std, recipe.bright_on_dark)
        # On CPUs convolutions are up to twice as fast with the channels last.
        self.net = recipe.net(classes)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        self._recipe = recipe
        self._seed = seed
        self._augment = augment(recipe.augmentation)
        self._accuracy = MulticlassAccuracy(classes, average="micro")

    def on_train_epoch_start(self) -> None:
        """Makes the epoch's random numbers independent of what came before, of which a resumed run knows nothing."""
        torch.manual_seed(seed_at(self._seed, self.current_epoch, self.global_rank))

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Gives the loss on image_NHWC u8 and label_N i64."""
        image_NHWC, label_N = batch
        image_NCHW = self._augment(self.pixels.scale(image_NHWC))
        logits_NK = self.net(self.pixels.normalise(image_NCHW))
        loss = functional.cross_entropy(logits_NK, label_N)
        self.log(TRAIN_LOSS, loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Measures the net as it will be served: no augmentation."""
        image_NHWC, label_N = batch
        logits_NK = self.net(self.pixels(image_NHWC))
        loss = functional.cross_entropy(logits_NK, label_N)
        self._accuracy.update(logits_NK, label_N)
        self.log(VALIDATION_LOSS, loss, batch_size=len(label_N), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Logs the error over all validation pictures."""
        # Every process computes the same; their mean, which Lightning insists on, changes nothing.
        self.log(VALIDATION_ERROR, 100 * (1 - self._accuracy.compute()), sync_dist=True)
        self._accuracy.reset()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Gives AdamW, its learning rate on one cycle over the whole run (Smith and Topin 2018)."""
        recipe = self._recipe
        optimizer = AdamW(self.net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, pct_start=recipe.warmup)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}
