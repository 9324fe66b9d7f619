"""A recipe of a model that has nothing to learn: its kernels are known beforehand."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass
from torch import nn

from protos.manifest_pb2 import EdgeDetection, ImageFilter
from training.inputs import STRICT
from training.settings import changed, made, restored


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class FixedRecipe:
    """How such a model is built."""

    # The name on the command line and of the artifact: its file in training/recipes/, with "-" for "_".
    name: str
    # One sentence: what the model does.
    summary: str
    # Paper or book that it follows.
    source: str
    # Makes the net, with the settings of `net` as keyword arguments: of pictures f32[N,C,H,W] from 0 to 255 it gives
    # edges f32[N,1,H,W] from 0 to 1, or a filtered picture f32[N,C,H,W].
    build: Annotated[Callable[..., nn.Module], Field(exclude=True)]
    net: dict[str, int | float | str]
    gives: Literal["edges", "filtered"]
    # 1 grey, 3 RGB.
    channels: Literal[1, 3]
    # Of edges: how far, in pixels, a pixel has influence; 0 for all over the picture.
    reach_px: Annotated[int, Field(ge=0)] = 0

    def make(self) -> nn.Module:
        """Gives the net.

        Raises:
            InvalidRequest: it has no such setting.
        """
        return made(self)

    def task(self) -> EdgeDetection | ImageFilter:
        """Gives what the manifest says of it."""
        if self.gives == "filtered":
            return ImageFilter(channels=self.channels)
        # Around the left side lies the right one.
        reach_px = 0 if self.net.get("padding") == "circular" else self.reach_px
        return EdgeDetection(channels=self.channels, reach_px=reach_px, step_px=1 if reach_px else 0)

    def settings(self) -> dict[str, Any]:
        """Gives all fields but `build` as plain JSON types."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    def changed(self, assignments: Mapping[str, str]) -> "FixedRecipe":
        """Gives the recipe with some settings changed: value by path, as `training.settings` has it.

        Raises:
            InvalidRequest: there is no such setting, or it does not take the value.
        """
        return restored(self, changed(self.settings(), assignments))


_ADAPTER: Final[TypeAdapter[FixedRecipe]] = TypeAdapter(FixedRecipe)
