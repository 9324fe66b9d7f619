"""A recipe: everything that decides how a model is trained, except the data and the seed."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from torch import nn

import training.recipes
from hondo.errors import ModelNotFound
from protos.manifest_pb2 import ImageInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How strongly training pictures are distorted at random; each figure is the most to either side."""

    rotation_deg: float
    # Share of the picture's side.
    shift: float
    # 0.1 scales by 0.9 to 1.1.
    scale: float
    shear_deg: float
    # Elastic distortion (Simard, Steinkraus, Platt 2003): a random field of shifts, smoothed by a Gaussian so wide.
    elastic_sigma_px: float
    # The field's amplitude before smoothing, in half sides of the picture.
    elastic_alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is trained."""

    # The file in training/recipes/, the name on the command line and of the artifact.
    name: str
    # One sentence: what the model does.
    summary: str
    # Paper and section that the net follows.
    source: str
    # Makes the net for a number of classes.
    net: Callable[[int], nn.Module]

    # How a picture becomes the array that `Pixels` takes, and Pixels' own settings.
    image: ImageInput
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bright_on_dark: bool
    augmentation: Augmentation

    # The most epochs; the learning rate is down to nothing at their end.
    epochs: int
    # Over all devices together.
    batch_size: int
    # The highest, reached after `warmup` of the steps.
    learning_rate: float
    warmup: float
    weight_decay: float
    # Training stops after so many epochs without a better validation loss.
    patience_epochs: int
    # Share that the averaged weights keep of themselves at each step.
    average_decay: float
    # Share of the training pictures that is kept for validation.
    validation: float

    def __post_init__(self) -> None:
        positive = ("epochs", "batch_size", "learning_rate", "patience_epochs")
        for setting in positive:
            if getattr(self, setting) <= 0:
                raise ValueError(f"{setting} must be more than 0, not {getattr(self, setting)}")
        for setting in ("warmup", "average_decay", "validation"):
            if not 0 < getattr(self, setting) < 1:
                raise ValueError(f"{setting} must lie between 0 and 1, not {getattr(self, setting)}")

    def settings(self) -> dict[str, object]:
        """Gives all fields but the net as plain JSON types."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "net"}
        return plain | {
            "image": json_format.MessageToDict(self.image, preserving_proto_field_name=True),
            "mean": list(self.mean),
            "std": list(self.std),
            "augmentation": dataclasses.asdict(self.augmentation),
        }


def from_settings(settings: Mapping[str, Any]) -> Recipe:
    """Gives the recipe that had these settings; its net is the one that the recipe of that name has.

    Raises:
        ModelNotFound: there is no recipe of that name any more.
    """
    return dataclasses.replace(
        find(settings["name"]),
        **{
            **settings,
            "image": json_format.ParseDict(settings["image"], ImageInput()),
            "mean": tuple(settings["mean"]),
            "std": tuple(settings["std"]),
            "augmentation": Augmentation(**settings["augmentation"]),
        },
    )


def names() -> list[str]:
    """Gives the names of all recipes."""
    return sorted(module.name for module in pkgutil.iter_modules(training.recipes.__path__))


def find(name: str) -> Recipe:
    """Gives the recipe of that name.

    Raises:
        ModelNotFound: there is none; the text lists those that there are.
    """
    if name not in names():
        raise ModelNotFound(f"no model is named {name!r} here: there is {', '.join(names())}")
    recipe = importlib.import_module(f"training.recipes.{name}").RECIPE
    assert isinstance(recipe, Recipe)
    return recipe
