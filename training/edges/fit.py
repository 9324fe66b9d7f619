"""The training of an edge detector by Lightning."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch
from lightning.pytorch import LightningDataModule, Trainer, seed_everything
from torch import Tensor

from training import precision, pretrained
from training.averaging import averaging
from training.checkpoint import Explain
from training.data.batches import Order
from training.data.bsds500 import Drawn
from training.edges.crops import CropBatches, Taught, taught
from training.edges.detector import VALIDATION_F, Detector
from training.edges.recipe import EdgeRecipe
from training.edges.run import Facts
from training.fit import Devices, bare_trainer, checkpoints, quiet, unfilled
from training.models.hed_lite import HEDLite
from training.progress import Progress

_TRUNK: Final = pretrained.EFFICIENTNET_LITE[0]


def fit(facts: Facts, train: Sequence[Drawn], folder: Path, devices: Devices, resume_from: Path | None = None) -> None:
    """Trains the recipe's net and leaves the best and the last checkpoint in the run folder.

    Args:
        facts: recipe and seed.
        train: pictures; some are kept for validation.
        folder: the run folder.
        devices: what computes.
        resume_from: the checkpoint to go on from.
    """
    with quiet(), unfilled():
        seed_everything(facts.seed)
        _trainer(facts, folder, devices).fit(
            untrained(facts.recipe, facts.seed),
            datamodule=_Data(facts, [taught(drawn, facts.recipe.agreement) for drawn in train]),
            ckpt_path=resume_from,
            weights_only=True,
        )


def untrained(recipe: EdgeRecipe, seed: int) -> Detector:
    """Gives the recipe's net with its first weights.

    Raises:
        MissingData: the package with the trunk's weights is not installed.
    """
    detector = Detector(recipe, seed)
    if recipe.trunk == "package":
        assert isinstance(detector.net, HEDLite), "no other net has a trunk whose weights a package ships"
        detector.net.load_trunk(torch.load(pretrained.path(_TRUNK), map_location="cpu", weights_only=True))
    return detector


def _trainer(facts: Facts, folder: Path, devices: Devices) -> Trainer:
    recipe = facts.recipe
    return bare_trainer(
        folder,
        devices,
        epochs=recipe.epochs,
        numbers=precision.choose(recipe.precision, devices.accelerator),
        max_gradient_norm=recipe.max_gradient_norm,
        callbacks=[
            *averaging(recipe.average, recipe.epochs),
            Progress(lambda figures: f"validation F {figures[VALIDATION_F]:.2f} %"),
            Explain(facts.plain(), VALIDATION_F),
            *checkpoints(folder, VALIDATION_F, "max"),
        ],
    )


class _Whole:
    """Pictures one at a time, as they are: image_HWC u8 and truth_HW u8."""

    def __init__(self, pictures: Sequence[Taught]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Goes through them."""
        return ((picture.image_HWC, picture.truth_HW) for picture in self._pictures)


class _Data(LightningDataModule):
    """The pictures that a run trains on, and those that it is validated with."""

    def __init__(self, facts: Facts, pictures: Sequence[Taught]) -> None:
        super().__init__()
        order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(facts.seed)).tolist()
        kept = facts.recipe.validation_pictures
        self._validation = [pictures[position] for position in order[:kept]]
        self._train = [pictures[position] for position in order[kept:]]
        self._facts = facts

    def train_dataloader(self) -> CropBatches:
        """Gives the crops to train on."""
        assert self.trainer is not None
        recipe, seed = self._facts.recipe, self._facts.seed
        order = Order(
            examples=len(self._train) * recipe.crops.per_picture,
            batch_size=recipe.batch_size,
            shuffle_seed=seed,
            rank=self.trainer.global_rank,
            processes=self.trainer.world_size,
        )
        return CropBatches(self._train, recipe.crops, order, seed)

    def val_dataloader(self) -> _Whole:
        """Gives the pictures to validate with; each process looks at all of them."""
        return _Whole(self._validation)
