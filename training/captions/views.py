"""Views of a picture: as it is, mirrored, and distorted at random; what the net sees of them is kept, so they are few.

Legend: N pictures, H height, W width, C channels.
"""

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.augment import augment
from training.augmentation import Augmentation
from training.inputs import STRICT
from training.seeds import seed_at


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Views:
    """Which views there are of each picture; the first is the picture as it is."""

    # Whether the second is the picture mirrored.
    flip: bool = True
    # How many more there are, each distorted by itself.
    distorted: Annotated[int, Field(ge=0)] = 0
    # How these are distorted.
    augmentation: Augmentation = Augmentation()

    def of(self, image_NCHW: Tensor, first: int) -> Iterator[Tensor]:
        """Gives the views, image_NCHW f32 in 0..1 each, of such.

        Args:
            image_NCHW: the pictures.
            first: place of the first of them among all; the same ones are distorted in the same ways again.
        """
        yield image_NCHW
        if self.flip:
            yield image_NCHW.flip(3)
        _, channels, height, width = image_NCHW.shape
        distort = augment(self.augmentation, height, width, channels)
        for view in range(self.distorted):
            with torch.random.fork_rng():
                torch.manual_seed(seed_at(view, first))
                distorted_NCHW: Tensor = distort(image_NCHW)
            yield distorted_NCHW
