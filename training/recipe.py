"""A recipe: everything that decides how a model is trained, except the data and the seed."""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Protocol, runtime_checkable

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass
from torch import nn

import training.recipes
from hondo.errors import InvalidRequest, ModelNotFound
from protos.manifest_pb2 import Classification, TextGeneration
from training.augmentation import Augmentation
from training.averaging import Average
from training.captions.recipe import CaptionRecipe
from training.edges.recipe import EdgeRecipe
from training.fixed import FixedRecipe
from training.initialisation import Scheme
from training.inputs import STRICT, Characters, Image, Input
from training.losses import Loss
from training.optimizers import Optimizer
from training.schedules import Schedule
from training.settings import changed, made, restored
from training.testtime import TestTime


@runtime_checkable
class LimitsNorms(Protocol):
    """A net some of whose units' weight vectors can be kept short in training."""

    def limit_norms(self, norm: float) -> None:
        """Shortens those that have become longer than `norm`."""


# What a net is for.
Task = Classification | TextGeneration
# Of recipes that take characters: the loss is their cross-entropy.
_OF_WRITERS: Final = (Loss(), Augmentation(), "loss")
# A setting of a net: a number, a word, or several.
NetSetting = bool | int | float | str | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Recipe:
    """How a model is trained."""

    # The name on the command line and of the artifact: its file in training/recipes/, with "-" for "_".
    name: str
    # One sentence: what the model does.
    summary: str
    # Paper and section that the net follows.
    source: str
    # Name of the data set that the settings were found on.
    data: str
    # Makes the net for a task, with the settings of `net` as keyword arguments.
    build: Annotated[Callable[..., nn.Module], Field(exclude=True)]
    net: dict[str, NetSetting] = Field(default_factory=dict)
    # Of the weights, before training.
    initialisation: Scheme = "default"
    # Largest length of a unit's weight vector, for nets that have `limit_norms`; 0 for any.
    max_norm: Annotated[float, Field(ge=0)] = 0

    input: Input
    augmentation: Augmentation = Augmentation()

    # The most epochs; the schedule is at its end with them.
    epochs: Annotated[int, Field(ge=1)]
    # Over all devices together.
    batch_size: Annotated[int, Field(ge=1)]
    loss: Loss = Loss()
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    average: Average = Average()
    # Longest gradient, all weights together; 0 for any.
    max_gradient_norm: Annotated[float, Field(ge=0)] = 0
    # "auto" computes in bfloat16 where the device has instructions for it.
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "auto"] = "32-true"

    # What tells a better epoch: the validation's loss or its share of errors.
    monitor: Literal["loss", "error"] = "loss"
    # Training stops after so many epochs without a better one.
    patience_epochs: Annotated[int, Field(ge=1)]
    # Share of the training examples that is kept for validation.
    validation: Annotated[float, Field(gt=0, lt=1)]
    # Of pictures: a second score, from several views of each test picture; the served graph sees one.
    test_time: TestTime = "none"

    def __post_init__(self) -> None:
        if self.test_time != "none" and not isinstance(self.input, Image):
            raise ValueError("test_time is for pictures")
        if isinstance(self.input, Characters) and (self.loss, self.augmentation, self.monitor) != _OF_WRITERS:
            raise ValueError("loss, augmentation and monitor are for classifiers")

    def make(self, task: Task) -> nn.Module:
        """Gives the net, its weights as its layers have them by default.

        Raises:
            InvalidRequest: it has no such setting.
        """
        net = made(self, task)
        if self.max_norm and not isinstance(net, LimitsNorms):
            raise InvalidRequest(f"max_norm is {self.max_norm}, but the net {type(net).__name__} has no such limit")
        return net

    def settings(self) -> dict[str, Any]:
        """Gives all fields but `build` as plain JSON types."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    def changed(self, assignments: Mapping[str, str]) -> "Recipe":
        """Gives the recipe with some settings changed.

        Args:
            assignments: value by path, for example "0.1" by "optimizer.lr": JSON, or a word as it is.

        Raises:
            InvalidRequest: there is no such setting, or it does not take the value.
        """
        return restored(self, changed(self.settings(), assignments))


_ADAPTER: TypeAdapter[Recipe] = TypeAdapter(Recipe)


def from_settings(settings: Mapping[str, Any]) -> Recipe:
    """Gives the recipe that had these settings; its net is built by the one that the recipe of that name has.

    Raises:
        ModelNotFound: there is no recipe of that name any more.
        InvalidRequest: it no longer has such settings.
    """
    return restored(find(settings["name"]), settings)


AnyRecipe = Recipe | EdgeRecipe | FixedRecipe | CaptionRecipe


def names() -> list[str]:
    """Gives the names of all recipes."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(training.recipes.__path__))


def load(name: str) -> AnyRecipe:
    """Gives the recipe of that name.

    Raises:
        ModelNotFound: there is none; the text lists those that there are.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise ModelNotFound(f"no model is named {name!r} here{meant}: there is {', '.join(names())}")
    recipe = importlib.import_module(f"training.recipes.{name.replace('-', '_')}").RECIPE
    assert isinstance(recipe, AnyRecipe)
    return recipe


def find(name: str) -> Recipe:
    """Gives the recipe of that name, of a classifier or a net that writes.

    Raises:
        ModelNotFound: there is none; the text lists those that there are.
        InvalidRequest: it is the recipe of something else.
    """
    recipe = load(name)
    if not isinstance(recipe, Recipe):
        raise InvalidRequest(f"{name} is no classifier: there is {', '.join(names_of(Recipe))}")
    return recipe


def names_of(kind: type[AnyRecipe]) -> list[str]:
    """Gives the names of the recipes of a kind."""
    return [name for name in names() if isinstance(load(name), kind)]
