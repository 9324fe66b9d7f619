"""Real pictures to prove an imported model on: a user's own, or crops of the two that scikit-learn ships.

Legend: N pictures, H height, W width, C channels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from hondo import images
from hondo.errors import InvalidImage, MissingData
from protos.manifest_pb2 import ImageInput

# The crops, whose places and sizes are drawn at random but the same each time.
_SEED: Final = 0
# Shares of a picture's shorter side.
_SMALLEST_CROP: Final = 0.25
_LARGEST_CROP: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Pictures as a graph takes them, in an order that mixes whatever they were cut from."""

    images_NHWC: NDArray[np.uint8]
    # What they are, in words.
    are: str

    def __len__(self) -> int:
        return len(self.images_NHWC)

    def part(self, first: int, count: int) -> "Samples":
        """Gives some of them."""
        return Samples(self.images_NHWC[first : first + count], self.are)


def take(spec: ImageInput, folder: Path | None, count: int) -> Samples:
    """Gives pictures as a graph takes them.

    Args:
        spec: how a picture becomes what the graph takes.
        folder: of picture files; scikit-learn's two pictures unless given.
        count: how many; where the folder has fewer files, the rest are crops of them.

    Raises:
        MissingData: the folder holds no picture, or one that cannot be read.
    """
    pictures = _shipped() if folder is None else _read(folder, count)
    whole = [] if folder is None else [images.fit(picture, spec) for picture in pictures]
    random = np.random.default_rng(_SEED)
    crops = [images.fit(_crop(pictures[n % len(pictures)], random), spec) for n in range(count - len(whole))]
    are = f"pictures of {folder.name}" if folder else "crops of scikit-learn's two sample pictures"
    return Samples(np.stack([*whole, *crops]), f"{are} and crops of them" if folder and crops else are)


def _shipped() -> list[Image.Image]:
    return [Image.fromarray(picture_HWC) for picture_HWC in load_sample_images().images]


def _read(folder: Path, count: int) -> list[Image.Image]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES)
    if not paths:
        raise MissingData(f"{folder} holds no picture: expected files such as .jpg or .png in it or below it")
    # Spread over the whole folder, whose parts may be of one kind each.
    spread = np.random.default_rng(_SEED).permutation(len(paths))[:count]
    return [_decode(paths[place]) for place in spread]


def _decode(path: Path) -> Image.Image:
    try:
        return images.decode(path.read_bytes())
    except (InvalidImage, OSError) as error:
        raise MissingData(f"{path}: {error}") from error


def _crop(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Gives a square of the picture at a place, of a size, and mirrored or not, by chance."""
    side = round(min(picture.size) * random.uniform(_SMALLEST_CROP, _LARGEST_CROP))
    left, top = (int(random.integers(0, length - side + 1)) for length in picture.size)
    crop = picture.crop((left, top, left + side, top + side))
    return ImageOps.mirror(crop) if random.random() < 0.5 else crop
