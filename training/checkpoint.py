"""What a checkpoint says beside its weights: all that rebuilds the net, in plain types that unpickle no code."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import torch
from google.protobuf import json_format
from lightning.pytorch import Callback, LightningModule, Trainer

from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import Classification, DataSource, TextGeneration
from training.classifier import VALIDATION_ERROR, VALIDATION_LOSS
from training.inputs import Characters
from training.recipe import Recipe, Task, from_settings

_KEY: Final = "hondo"
_DIFFERENCES_SAID: Final = 10
_LIBRARIES: Final = ("torch", "lightning", "kornia", "numpy", "pillow", "scikit-learn", "torchmetrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run was started with."""

    recipe: Recipe
    task: Task
    data: tuple[DataSource, ...]
    seed: int

    def plain(self) -> dict[str, Any]:
        """Gives the same as JSON types."""
        return {
            "recipe": self.recipe.settings(),
            "task": json_format.MessageToDict(self.task, preserving_proto_field_name=True),
            "data": [json_format.MessageToDict(source) for source in self.data],
            "seed": self.seed,
        }


def _from_plain(plain: Mapping[str, Any]) -> Facts:
    recipe = from_settings(plain["recipe"])
    task = TextGeneration() if isinstance(recipe.input, Characters) else Classification()
    return Facts(
        recipe=recipe,
        task=json_format.ParseDict(plain["task"], task),
        data=tuple(json_format.ParseDict(source, DataSource()) for source in plain["data"]),
        seed=plain["seed"],
    )


class Explain(Callback):
    """Writes what a run was started with into every checkpoint, with the epoch and its score.

    Args:
        plain: JSON types.
        scores: the names under which they are logged; those that are, are written.
    """

    def __init__(self, plain: Mapping[str, Any], *scores: str) -> None:
        self._plain = plain
        self._scores = scores

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the facts."""
        figures = trainer.callback_metrics
        checkpoint[_KEY] = {
            **self._plain,
            "library_versions": {name: metadata.version(name) for name in _LIBRARIES},
            "epoch": trainer.current_epoch + 1,
            **{name: figures[name].item() for name in self._scores if name in figures},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint as read."""

    facts: Facts
    library_versions: Mapping[str, str]
    # How many epochs of training it is the result of.
    epoch: int
    # Of a classifier.
    validation_error_percent: float | None
    # Nats an example; older checkpoints do not say.
    validation_loss: float | None
    # Parameters and buffers of `Classifier` or `LanguageModel` by name.
    weights: Mapping[str, torch.Tensor]

    def weights_of(self, part: str) -> dict[str, torch.Tensor]:
        """Gives the weights of one of the module's parts."""
        return weights_of(self.weights, part)


def read(path: Path) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        InvalidArtifact: it is damaged, or not one that Hondo wrote.
    """
    plain, weights = read_plain(path)
    return Checkpoint(
        facts=_from_plain(plain),
        library_versions=plain["library_versions"],
        epoch=plain["epoch"],
        validation_error_percent=plain.get(VALIDATION_ERROR),
        validation_loss=plain.get(VALIDATION_LOSS),
        weights=weights,
    )


def read_plain(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Reads what `Explain` wrote into a checkpoint, and its weights by name.

    Raises:
        InvalidArtifact: it is damaged, or not one that Hondo wrote.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return content[_KEY], content["state_dict"]
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise InvalidArtifact(f"{path} is no checkpoint that Hondo wrote, or is damaged: {error}") from error


def weights_of(weights: Mapping[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    """Gives the weights of one of the modules that were trained."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}


def differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Says setting by setting where two runs' plain facts differ; of very many, how many more there are."""
    mine, theirs = _flat(here), _flat(there)
    names = [name for name in mine | theirs if mine.get(name) != theirs.get(name)]
    said = [f"{name} is {mine.get(name)}, was {theirs.get(name)}" for name in names[:_DIFFERENCES_SAID]]
    # Other data may have another vocabulary.
    return said if len(names) == len(said) else [*said, f"and {len(names) - len(said):,} more"]


def _flat(value: Any, path: str = "") -> dict[str, object]:
    """Gives the leaves of nested dicts and lists by their paths, such as `recipe.epochs`."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        return {path: value}
    return {leaf: v for key, part in value.items() for leaf, v in _flat(part, f"{path}.{key}".lstrip(".")).items()}
