"""What a recipe's net looks at, and the module that brings it from the served graph's input to the net's.

Legend: N batch, H height, W width, C channels, T words, F columns.
"""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import nn

from protos.manifest_pb2 import Classification, ImageInput
from training.columns import Columns
from training.pixels import Pixels

STRICT: Final = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Image:
    """Pictures: how any one becomes the array u8[H,W,C] that a graph takes, and what `Pixels` makes of it."""

    kind: Literal["image"] = "image"
    # Pixels.
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    channels: Literal[1, 3]
    resize: Literal["stretch", "center_crop"] = "stretch"
    filter: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    # Pixels that the shorter side is scaled to before the centre is cut out.
    shorter_side: int = 0
    # Per channel, of values in 0..1.
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bright_on_dark: bool = False

    def spec(self) -> ImageInput:
        """Gives the same as the manifest has it."""
        return ImageInput(
            height=self.height,
            width=self.width,
            channels=self.channels,
            resize=self.resize.upper(),
            filter=self.filter.upper(),
            shorter_side=self.shorter_side,
        )


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Text:
    """Sentences: how one becomes the array i64[T] of word ids; the vocabulary comes from the training data."""

    kind: Literal["text"] = "text"
    # T: words beyond it are cut off.
    length: Annotated[int, Field(ge=1)]
    # Words that the training sentences have less often are unknown.
    min_count: Annotated[int, Field(ge=1)] = 1


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Table:
    """Rows of numbers f32[F]; their columns come from the training data."""

    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Characters:
    """A text to write on from, a character a token; the vocabulary comes from the training data."""

    kind: Literal["characters"] = "characters"
    # T: errors are traced back over so many characters (Williams and Peng 1990); what is remembered goes on beyond.
    window: Annotated[int, Field(ge=1)]


Input = Annotated[Image | Text | Table | Characters, Field(discriminator="kind")]


def front(settings: Image | Text | Table | Characters, task: Classification) -> nn.Module:
    """Gives the module between the graph's input and a classifier's net."""
    match settings:
        case Image():
            return Pixels(settings.mean, settings.std, settings.bright_on_dark)
        case Text() | Characters():
            return nn.Identity()
        case Table():
            return Columns(len(task.table.columns))
