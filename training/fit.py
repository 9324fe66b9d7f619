"""The training of one run by Lightning: its callbacks, its logs, and where they write."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from training import run
from training.averaging import running_average
from training.checkpoint import Explain, Facts
from training.classifier import VALIDATION_LOSS, Classifier
from training.data.batches import TrainingData, hold_out
from training.data.dataset import Pictures
from training.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What computes, in Lightning's words."""

    accelerator: str = "auto"
    devices: str = "auto"
    strategy: str = "auto"


def fit(facts: Facts, train: Pictures, folder: Path, devices: Devices, resume_from: Path | None = None) -> None:
    """Trains the recipe's net and leaves the best and the last checkpoint in the run folder.

    Args:
        facts: recipe, labels and seed.
        train: the pictures, of the size of the recipe's image; a share is kept for validation.
        folder: the run folder.
        devices: what computes.
        resume_from: the checkpoint to go on from.
    """
    with _quiet():
        seed_everything(facts.seed)
        kept, validation = hold_out(train, facts.recipe.validation, facts.seed)
        _trainer(facts, folder, devices).fit(
            Classifier(facts.recipe, len(facts.labels), facts.seed),
            datamodule=TrainingData(kept, validation, facts.recipe.batch_size, facts.seed),
            ckpt_path=resume_from,
            weights_only=True,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    # Their lines on devices, seeds and checkpoints say again what Progress and the command say; the rest are adverts.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Lightning 2.6 walks batches in a way that torch 2.13 is about to drop.
        warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
        # It does, when a run is resumed.
        warnings.filterwarnings("ignore", r"Checkpoint directory .* exists and is not empty", UserWarning)
        yield


def _trainer(facts: Facts, folder: Path, devices: Devices) -> Trainer:
    logs = folder / run.LOGS
    return Trainer(
        accelerator=devices.accelerator,
        devices=devices.devices,
        strategy=devices.strategy,
        max_epochs=facts.recipe.epochs,
        callbacks=_callbacks(facts, folder),
        logger=[CSVLogger(logs, name="csv"), TensorBoardLogger(logs, name="tensorboard")],
        deterministic=True,
        # Order hands each process its share.
        use_distributed_sampler=False,
        # Progress and the command say it in one line each.
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        # Only whole epochs are logged.
        log_every_n_steps=1,
    )


def _callbacks(facts: Facts, folder: Path) -> list[Callback]:
    checkpoints = folder / run.CHECKPOINTS
    return [
        # Validation and the checkpoints' `state_dict` have the average instead of the weights.
        WeightAveraging(avg_fn=running_average(facts.recipe.average_decay)),
        # The loss tells epochs apart where the error, on few pictures, does not.
        EarlyStopping(VALIDATION_LOSS, patience=facts.recipe.patience_epochs),
        LearningRateMonitor("epoch"),
        Progress(),
        Explain(facts),
        ModelCheckpoint(checkpoints, run.BEST, monitor=VALIDATION_LOSS, enable_version_counter=False),
        ModelCheckpoint(checkpoints, run.LAST, save_on_train_epoch_end=True, enable_version_counter=False),
    ]
