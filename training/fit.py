"""The training of one run by Lightning: its callbacks, its logs, and where they write."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils import deterministic

from protos.manifest_pb2 import Classification, TextGeneration
from training import precision, run
from training.averaging import averaging
from training.checkpoint import Explain, Facts
from training.classifier import VALIDATION_ERROR, VALIDATION_LOSS, Classifier
from training.columns import Columns
from training.data.batches import TrainingData, hold_out
from training.data.corpus import Corpus
from training.data.dataset import Examples
from training.data.streams import StreamData
from training.initialisation import initialise
from training.inputs import Characters
from training.language_model import LanguageModel
from training.precision import Precision
from training.progress import Progress
from training.specimens import Specimens


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What computes, in Lightning's words."""

    accelerator: str = "auto"
    devices: str = "auto"
    strategy: str = "auto"


def fit(facts: Facts, train: Examples, folder: Path, devices: Devices, resume_from: Path | None = None) -> None:
    """Trains the recipe's net and leaves the best and the last checkpoint in the run folder.

    Args:
        facts: recipe, task and seed.
        train: what the task's graph takes; a share is kept for validation.
        folder: the run folder.
        devices: what computes.
        resume_from: the checkpoint to go on from.
    """
    with quiet(), unfilled():
        seed_everything(facts.seed)
        kept, validation = hold_out(train, facts.recipe.validation, facts.seed)
        data = TrainingData(kept, validation, facts.recipe.batch_size, facts.seed)
        _run(trainer(facts, folder, devices), untrained(facts, kept), data, resume_from)


def fit_writer(facts: Facts, corpus: Corpus, folder: Path, devices: Devices, resume_from: Path | None = None) -> None:
    """Trains the recipe's net to write, as `fit` trains a classifier.

    Raises:
        MissingData: the text is too short for the recipe's windows.
    """
    recipe, task = facts.recipe, facts.task
    assert isinstance(task, TextGeneration), "corpora have this task"
    assert isinstance(recipe.input, Characters), "and are read by such recipes"
    data = StreamData(corpus, recipe.batch_size, recipe.input.window, facts.seed)
    with quiet(), unfilled():
        seed_everything(facts.seed)
        model = LanguageModel(recipe, task, facts.seed)
        initialise(model.net, recipe.initialisation)
        made = trainer(facts, folder, devices, [Specimens(task, facts.seed)])
        _run(made, model, data, resume_from)


def _run(made: Trainer, module: LightningModule, data: LightningDataModule, resume_from: Path | None) -> None:
    made.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)


def untrained(facts: Facts, train: Examples) -> Classifier:
    """Gives the recipe's net with its first weights, its front measured on the examples to train on."""
    assert isinstance(facts.task, Classification), "examples have this task"
    classifier = Classifier(facts.recipe, facts.task, facts.seed)
    initialise(classifier.net, facts.recipe.initialisation)
    if isinstance(classifier.front, Columns):
        classifier.front.measure(torch.from_numpy(train.inputs))
    return classifier


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps Lightning from saying what is said elsewhere, or is nobody's fault here."""
    # Their lines on devices, seeds and checkpoints say again what Progress and the command say; the rest are adverts.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Lightning 2.6 walks batches in a way that torch 2.13 is about to drop.
        warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
        # It does, when a run is resumed.
        warnings.filterwarnings("ignore", r"Checkpoint directory .* exists and is not empty", UserWarning)
        # A part that stays as it was published does so on purpose.
        warnings.filterwarnings("ignore", r"Found \d+ module\(s\) in eval mode", UserWarning)
        yield


@contextmanager
def unfilled() -> Iterator[None]:
    """Keeps torch from filling all new memory with NaN, as it does where algorithms have to be deterministic.

    No net here reads what it has not written, and a residual net trains 5 % faster.
    """
    before = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]  # the module is made to have it
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = before  # type: ignore[attr-defined]


def trainer(facts: Facts, folder: Path, devices: Devices, more: Sequence[Callback] = ()) -> Trainer:
    """Gives what trains a recipe's net.

    Args:
        facts: recipe, task and seed.
        folder: the run folder.
        devices: what computes.
        more: what else is told of the training's course.
    """
    recipe = facts.recipe
    better = {"loss": VALIDATION_LOSS, "error": VALIDATION_ERROR}[recipe.monitor]
    return bare_trainer(
        folder,
        devices,
        epochs=recipe.epochs,
        numbers=precision.choose(recipe.precision, devices.accelerator),
        max_gradient_norm=recipe.max_gradient_norm,
        callbacks=[
            # Validation and the checkpoints' `state_dict` have the average instead of the weights.
            *averaging(recipe.average, recipe.epochs),
            EarlyStopping(better, patience=recipe.patience_epochs),
            Progress(),
            Explain(facts.plain(), (VALIDATION_LOSS, VALIDATION_ERROR)),
            *checkpoints(folder, better, "min"),
            *more,
        ],
    )


def bare_trainer(
    folder: Path,
    devices: Devices,
    *,
    epochs: int,
    numbers: Precision,
    max_gradient_norm: float,
    callbacks: list[Callback],
) -> Trainer:
    """Gives Lightning's trainer with what all trainings have in common.

    Args:
        folder: the run folder.
        devices: what computes.
        epochs: the most.
        numbers: what it computes with.
        max_gradient_norm: longest gradient, all weights together; 0 for any.
        callbacks: what else happens.
    """
    logs = folder / run.LOGS
    return Trainer(
        accelerator=devices.accelerator,
        devices=devices.devices,
        strategy=devices.strategy,
        max_epochs=epochs,
        precision=numbers,
        gradient_clip_val=max_gradient_norm or None,
        callbacks=[LearningRateMonitor("epoch"), *callbacks],
        logger=[CSVLogger(logs, name="csv"), TensorBoardLogger(logs, name="tensorboard")],
        deterministic=True,
        # Order hands each process its share.
        use_distributed_sampler=False,
        # Progress and the command say it in one line each.
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        # Only whole epochs are logged.
        log_every_n_steps=0,
    )


def checkpoints(folder: Path, score: str, better: Literal["min", "max"]) -> list[Callback]:
    """Gives what writes the best and the last epoch's checkpoints."""
    place = folder / run.CHECKPOINTS
    return [
        ModelCheckpoint(place, run.BEST, monitor=score, mode=better, enable_version_counter=False),
        ModelCheckpoint(place, run.LAST, save_on_train_epoch_end=True, enable_version_counter=False),
    ]
