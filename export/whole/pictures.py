"""Real pictures to prove a graph on that takes any size.

Legend: N pictures, H height, W width, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from hondo import images
from hondo.errors import InvalidImage, MissingData


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Pictures, mode L or RGB, from which parts of any size are cut."""

    pictures: Sequence[Image.Image]
    # What they are, in words.
    are: str

    def cut(self, count: int, height: int, width: int, channels: int) -> NDArray[np.uint8]:
        """Gives image_NHWC u8: the middle of each of so many pictures, one after another.

        A picture that is smaller is scaled up first.
        """
        return np.stack([_middle(self.pictures[n % len(self.pictures)], height, width, channels) for n in range(count)])


def shipped() -> Samples:
    """Gives the two pictures that scikit-learn ships."""
    pictures = [Image.fromarray(picture_HWC) for picture_HWC in load_sample_images().images]
    return Samples(pictures, "scikit-learn's two sample pictures")


def of_folder(folder: Path) -> Samples:
    """Gives the pictures in a folder and below it.

    Raises:
        MissingData: there is none, or one cannot be read.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES)
    if not paths:
        raise MissingData(f"{folder} holds no picture: expected files such as .jpg or .png in it or below it")
    return Samples([_decode(path) for path in paths], f"pictures of {folder.name}")


def _decode(path: Path) -> Image.Image:
    try:
        return images.decode(path.read_bytes())
    except (InvalidImage, OSError) as error:
        raise MissingData(f"{path}: {error}") from error


def _middle(picture: Image.Image, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    scale = max(1, height / picture.height, width / picture.width)
    if scale > 1:
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return images.whole(picture.crop((left, top, left + width, top + height)), channels)
