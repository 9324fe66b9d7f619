"""A recipe of a captioner: everything that decides how it is trained, except the data and the seed."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from training.averaging import Average
from training.captions.views import Views
from training.inputs import STRICT, Image
from training.models.captioner import Captioner, Count, Share
from training.models.efficientnet_lite import Size
from training.optimizers import Optimizer
from training.schedules import Schedule
from training.settings import changed, made, restored


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Reward:
    """The second stage of the training, in which the net is told how good its own captions are.

    Rennie et al., "Self-critical sequence training for image captioning", 2017, 3.
    """

    # After the first stage; 0 for none.
    epochs: Annotated[int, Field(ge=0)] = 0
    lr: Annotated[float, Field(gt=0)] = 5e-5
    # Captions that are drawn for each picture; each is compared with the mean of the others.
    samples: Annotated[int, Field(ge=2)] = 5


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class CaptionRecipe:
    """How a captioner is trained."""

    # The name on the command line and of the artifact: its file in training/recipes/, with "-" for "_".
    name: str
    # One sentence: what the model does.
    summary: str
    # Paper and section that the net follows.
    source: str
    # Name of the data set that the settings were found on.
    data: Literal["flickr8k"] = "flickr8k"

    input: Image
    # Of the EfficientNet-Lite that sees, with ImageNet's weights, which stay as they are.
    sight: Size = 0
    # Of each picture that is trained with.
    views: Views = Views()
    # Makes the part that says, for words and channels, with the settings of `net` as keyword arguments.
    build: Annotated[Callable[..., Captioner], Field(exclude=True)]
    net: dict[str, bool | int | float | str] = Field(default_factory=dict)

    # Words that the training's captions have less often are unknown.
    min_count: Count = 4
    # Words beyond them are cut off, and no caption that is made is longer.
    max_words: Count = 20
    # In use, captions of a beam are compared by their log-probabilities divided by the count of their words and end to
    # this power: the higher, the longer (Wu et al., "Google's neural machine translation system", 2016, 7, simplified).
    length_penalty: Annotated[float, Field(ge=0)] = 1

    epochs: Count
    # Pictures a step, each with all its captions, over all devices together.
    batch_size: Count
    label_smoothing: Share = 0
    # Share of the words heard that are the net's own, at the end of the epochs; it grows from nothing (Bengio et al.,
    # "Scheduled sampling for sequence prediction with recurrent neural networks", 2015, 2.4).
    own_words: Share = 0
    # How much it costs to leave places unseen over a caption (Xu et al. 2015, equation 14).
    unseen_cost: Annotated[float, Field(ge=0)] = 0
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    average: Average = Average()
    # Longest gradient, all weights together; 0 for any.
    max_gradient_norm: Annotated[float, Field(ge=0)] = 0
    # "auto" computes in bfloat16 where the device has instructions for it.
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "auto"] = "32-true"
    reward: Reward = Reward()

    def make(self, vocabulary: int, channels: int) -> Captioner:
        """Gives the part that says, its weights as its layers have them by default.

        Args:
            vocabulary: how many words it knows.
            channels: that what sees gives of a place.

        Raises:
            InvalidRequest: it has no such setting.
        """
        net = made(self, vocabulary, channels)
        assert isinstance(net, Captioner), "it is what recipes of captioners build"
        return net

    def settings(self) -> dict[str, Any]:
        """Gives all fields but `build` as plain JSON types."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    def changed(self, assignments: Mapping[str, str]) -> "CaptionRecipe":
        """Gives the recipe with some settings changed: value by path, as `training.settings` has it.

        Raises:
            InvalidRequest: there is no such setting, or it does not take the value.
        """
        return restored(self, changed(self.settings(), assignments))


_ADAPTER: Final[TypeAdapter[CaptionRecipe]] = TypeAdapter(CaptionRecipe)
