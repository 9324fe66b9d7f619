"""A recipe of an edge detector: everything that decides how it is trained, except the data and the seed."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, validate_call
from pydantic.dataclasses import dataclass
from torch import nn

from hondo.errors import InvalidRequest
from protos.manifest_pb2 import EdgeDetection
from training.averaging import Average
from training.inputs import STRICT
from training.optimizers import Optimizer
from training.schedules import Schedule
from training.settings import changed, faults

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Colours:
    """What `Pixels` makes of colour pictures of any size."""

    # Per channel, of values in 0..1.
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Crops:
    """How squares are cut out of the pictures to train on, at random."""

    side_px: Annotated[int, Field(ge=16)]
    # From every picture, in an epoch.
    per_picture: Annotated[int, Field(ge=1)] = 1
    # Share that is mirrored, left for right.
    flip: Share = 0
    # Share that is turned, by any angle.
    turned: Share = 0
    # The picture is scaled by a number between these, small ones as often as large ones.
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (1, 1)
    # 0.2 multiplies by 0.8 to 1.2: brightness the values, contrast their distances from the crop's mean.
    brightness: Share = 0
    contrast: Share = 0

    def __post_init__(self) -> None:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale begins above its end: {self.scale}")


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class EdgeRecipe:
    """How an edge detector is trained."""

    # The name on the command line and of the artifact: its file in training/recipes/, with "-" for "_".
    name: str
    # One sentence: what the model does.
    summary: str
    # Paper and section that the net follows.
    source: str
    # Name of the data set that the settings were found on.
    data: Literal["bsds500"] = "bsds500"
    # Makes the net, with the settings of `net` as keyword arguments.
    build: Annotated[Callable[..., nn.Module], Field(exclude=True)]
    net: dict[str, int | float | str] = Field(default_factory=dict)
    # Whose weights the net's trunk begins with: "package" for those that a Python package ships.
    trunk: Literal["package", "random"]

    # How far, in pixels, a pixel has influence, and the multiple of pixels that parts of a picture begin at.
    reach_px: Annotated[int, Field(ge=1)]
    step_px: Annotated[int, Field(ge=1)]
    input: Colours
    crops: Crops
    # An edge is what more than this share of the annotators drew; what fewer drew counts neither way.
    agreement: Annotated[float, Field(ge=0, lt=1)]

    epochs: Annotated[int, Field(ge=1)]
    # Crops a step, over all devices together.
    batch_size: Annotated[int, Field(ge=1)]
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    average: Average = Average()
    # Longest gradient, all weights together; 0 for any.
    max_gradient_norm: Annotated[float, Field(ge=0)] = 0
    # "auto" computes in bfloat16 where the device has instructions for it.
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "auto"] = "32-true"
    # Pictures that are kept for validation.
    validation_pictures: Annotated[int, Field(ge=1)]

    def make(self) -> nn.Module:
        """Gives the net, its weights as its layers have them by default.

        Raises:
            InvalidRequest: it has no such setting.
        """
        try:
            net: nn.Module = validate_call(config=_ANY_TYPE)(self.build)(**self.net)
        except ValidationError as error:
            raise InvalidRequest(f"{self.name} cannot be built with these settings: {faults(error, 'net.')}") from error
        return net

    def task(self) -> EdgeDetection:
        """Gives what the manifest says of it."""
        return EdgeDetection(channels=len(self.input.mean), reach_px=self.reach_px, step_px=self.step_px)

    def settings(self) -> dict[str, Any]:
        """Gives all fields but `build` as plain JSON types."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    def changed(self, assignments: Mapping[str, str]) -> "EdgeRecipe":
        """Gives the recipe with some settings changed: value by path, as `training.settings` has it.

        Raises:
            InvalidRequest: there is no such setting, or it does not take the value.
        """
        return self.with_settings(changed(self.settings(), assignments))

    def with_settings(self, plain: Mapping[str, Any]) -> "EdgeRecipe":
        """Gives the recipe of these settings, its net built as this one's.

        Raises:
            InvalidRequest: it has no such settings.
        """
        try:
            return _ADAPTER.validate_python({**plain, "build": self.build})
        except ValidationError as error:
            raise InvalidRequest(f"the recipe {self.name} does not take these settings: {faults(error)}") from error


_ANY_TYPE: Final = ConfigDict(arbitrary_types_allowed=True)
_ADAPTER: Final[TypeAdapter[EdgeRecipe]] = TypeAdapter(EdgeRecipe)
