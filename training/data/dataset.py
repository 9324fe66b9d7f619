"""A data set of labelled pictures, in memory.

Legend: N pictures, H height, W width, C channels.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hondo import images
from protos.manifest_pb2 import DataSource, ImageInput


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of one size, and the class of each."""

    # u8.
    images_NHWC: NDArray[np.uint8]
    # Position in the data set's labels.
    labels_N: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.images_NHWC) != len(self.labels_N):
            raise ValueError(f"{len(self.images_NHWC)} pictures have {len(self.labels_N)} labels")

    def __len__(self) -> int:
        return len(self.labels_N)

    def take(self, index_N: NDArray[np.int64]) -> "Pictures":
        """Gives the pictures at these positions."""
        return Pictures(self.images_NHWC[index_N], self.labels_N[index_N])

    def fit(self, spec: ImageInput) -> "Pictures":
        """Brings all pictures to the shape that a graph takes, by the code that serving runs."""
        fitted = [images.fit(image(picture_HWC), spec) for picture_HWC in self.images_NHWC]
        return Pictures(np.stack(fitted), self.labels_N)


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Pictures to train on, pictures to test on, and where they are from."""

    source: DataSource
    # Name of each class.
    labels: tuple[str, ...]
    train: Pictures
    test: Pictures

    @property
    def name(self) -> str:
        """The short name, for example "mnist"."""
        return self.source.name

    def fit(self, spec: ImageInput) -> "DataSet":
        """Brings all pictures to the shape that a graph takes."""
        return replace(self, train=self.train.fit(spec), test=self.test.fit(spec))


def image(picture_HWC: NDArray[np.uint8]) -> Image.Image:
    """Gives an array u8[H,W,1] (grey) or u8[H,W,3] (RGB) as Pillow's image."""
    return Image.fromarray(picture_HWC.squeeze(2) if picture_HWC.shape[2] == 1 else picture_HWC)
