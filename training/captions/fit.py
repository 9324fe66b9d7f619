"""The training of a captioner by Lightning.

Legend: N pictures, V views of each, P places, C channels.
"""

from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Trainer, seed_everything
from numpy.typing import NDArray

from training import precision, pretrained
from training.averaging import averaging
from training.captions.batches import CaptionData, encode
from training.captions.features import features
from training.captions.reward import Reward
from training.captions.run import Facts
from training.captions.speaker import VALIDATION_CIDER, Speaker
from training.captions.views import Views
from training.checkpoint import Explain
from training.data.captioned import END, SPECIAL, Captioned, CaptionSet, words
from training.fit import Devices, bare_trainer, checkpoints, quiet, unfilled
from training.progress import Progress


def fit(facts: Facts, pictures: CaptionSet, folder: Path, devices: Devices, resume_from: Path | None = None) -> None:
    """Trains the recipe's net and leaves the best and the last checkpoint in the run folder.

    Args:
        facts: recipe, vocabulary and seed.
        pictures: what is learnt.
        folder: the run folder.
        devices: what computes.
        resume_from: the checkpoint to go on from.

    Raises:
        MissingData: a picture cannot be read, or the package with the weights of what sees is not installed.
    """
    with quiet(), unfilled():
        seed_everything(facts.seed)
        speaker = untrained(facts, pictures)
        data = _data(facts, pictures, speaker)
        _trainer(facts, folder, devices).fit(speaker, datamodule=data, ckpt_path=resume_from, weights_only=True)


def untrained(facts: Facts, pictures: CaptionSet) -> Speaker:
    """Gives the recipe's net with its first weights, those of what sees from their package.

    Raises:
        MissingData: the package is not installed.
    """
    speaker = Speaker(facts.recipe, facts.vocabulary, train_reward(pictures), validation_reward(pictures), facts.seed)
    path = pretrained.path(pretrained.EFFICIENTNET_LITE[facts.recipe.sight])
    speaker.sight.load_published(torch.load(path, map_location="cpu", weights_only=True))
    return speaker


def train_reward(pictures: CaptionSet) -> Reward:
    """Gives what judges captions of the training pictures, their ends among the words."""
    return Reward([[[*words(one), SPECIAL[END]] for one in captions] for captions in pictures.train.captions])


def validation_reward(pictures: CaptionSet) -> Reward:
    """Gives what judges captions of the validation pictures."""
    return Reward([[words(one) for one in captions] for captions in pictures.validation.captions])


def _data(facts: Facts, pictures: CaptionSet, speaker: Speaker) -> CaptionData:
    recipe, ids = facts.recipe, {word: number for number, word in enumerate(facts.vocabulary)}

    def seen(part: Captioned, views: Views) -> NDArray[np.float16]:
        return features(part.files, recipe.input.spec(), speaker.front, speaker.sight, views)

    captions = [encode(of_one, ids, recipe.max_words) for of_one in pictures.train.captions]
    train_NVPC, validation_NVPC = seen(pictures.train, recipe.views), seen(pictures.validation, Views(flip=False))
    return CaptionData(train_NVPC, captions, validation_NVPC, recipe.batch_size, facts.seed)


def _trainer(facts: Facts, folder: Path, devices: Devices) -> Trainer:
    recipe = facts.recipe
    epochs = recipe.epochs + recipe.reward.epochs
    return bare_trainer(
        folder,
        devices,
        epochs=epochs,
        numbers=precision.choose(recipe.precision, devices.accelerator),
        max_gradient_norm=recipe.max_gradient_norm,
        callbacks=[
            *averaging(recipe.average, epochs),
            Progress(lambda figures: f"validation CIDEr {figures[VALIDATION_CIDER]:.3f}"),
            Explain(facts.plain(), (VALIDATION_CIDER,)),
            *checkpoints(folder, VALIDATION_CIDER, "max"),
        ],
    )
