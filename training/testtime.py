"""Answers to test pictures from several views of each, averaged: better than from one, and as many times slower.

Krizhevsky, Sutskever, Hinton 2012, 4.1 (ten crops); He, Zhang, Ren, Sun 2015, 3.4 (several scales).

Legend: N pictures, H height, W width, C channels, K classes.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from hondo import images
from protos.manifest_pb2 import ImageInput
from training import answers
from training.data.dataset import PictureFiles, Pictures, image

# "flip": the picture and its mirror image.
# "ten_crop": the four corners and the centre of a somewhat larger picture, and their mirror images.
# "multi_scale": the whole picture, smaller and larger, through the net at once where it takes that, else by overlapping
# parts; mirrored too, where the net was trained with mirrored pictures.
TestTime = Literal["none", "flip", "ten_crop", "multi_scale"]

# How the scores are called.
SCORES: Final[dict[TestTime, str]] = {
    "flip": "error, mirrored too",
    "ten_crop": "error, ten crops",
    "multi_scale": "error, five scales",
}

# Krizhevsky's 256 pixels a side, out of which 224 are cut.
_ENLARGED: Final = 256 / 224
# He's sides, for a net that is trained with 224 pixels.
_SCALES: Final = tuple(side_px / 224 for side_px in (224, 256, 384, 480, 640))
# Pictures whose views are held in memory at once.
_PICTURES_AT_ONCE: Final = 32

Ask = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Crops = Iterator[NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture as the net gets to see it."""

    image_HWC: NDArray[np.uint8]
    # Of its answer in the average; those of all views of a picture add up to 1.
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Which views there are of each picture.

    Attributes:
        kind: all but "none".
        spec: how the served graph sees a picture.
        mirrored: whether several scales are seen mirrored as well.
        takes: whether the net takes pictures of a height and a width.
    """

    kind: TestTime
    spec: ImageInput
    mirrored: bool
    takes: Callable[[int, int], bool]

    def of(self, picture: Image.Image) -> list[View]:
        """Gives all views of a picture."""
        match self.kind:
            case "none":
                return [View(images.fit(picture, self.spec), 1)]
            case "flip":
                return _evenly(_with_mirrored([images.fit(picture, self.spec)]), 1)
            case "ten_crop":
                return _evenly(_with_mirrored(_five(enlarged(picture, self.spec), self.spec)), 1)
            case "multi_scale":
                return [view for scale in _SCALES for view in _evenly(self._at(picture, scale), 1 / len(_SCALES))]

    def _at(self, picture: Image.Image, scale: float) -> Iterable[NDArray[np.uint8]]:
        whole_HWC = whole(picture, self.spec, scale)
        height, width, _ = whole_HWC.shape
        seen = [whole_HWC] if self.takes(height, width) else _overlapping(whole_HWC, self.spec)
        return _with_mirrored(seen) if self.mirrored else seen


def probabilities(
    front: nn.Module, net: nn.Module, pictures: Pictures | PictureFiles, views: Views
) -> NDArray[np.float32]:
    """Gives the probability f32[N,K] of each class, averaged over the views of each picture."""

    def ask(image_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        return answers.probabilities(front, net, image_NHWC)

    starts = range(0, len(pictures), _PICTURES_AT_ONCE)
    parts = (pictures.take(np.arange(start, min(start + _PICTURES_AT_ONCE, len(pictures)))) for start in starts)
    return np.concatenate([_average(ask, [views.of(picture) for picture in _opened(part)]) for part in parts])


def accepts(front: nn.Module, net: nn.Module, channels: int) -> Callable[[int, int], bool]:
    """Gives the function that says whether a net takes pictures of a height and a width, by trying each size once."""
    tried: dict[tuple[int, int], bool] = {}

    def takes(height: int, width: int) -> bool:
        if (height, width) not in tried:
            try:
                answers.probabilities(front, net, np.zeros((1, height, width, channels), np.uint8))
            except RuntimeError:
                tried[height, width] = False
            else:
                tried[height, width] = True
        return tried[height, width]

    return takes


def enlarged(picture: Image.Image, spec: ImageInput) -> NDArray[np.uint8]:
    """Gives image_HWC u8, larger than a graph takes by Krizhevsky's share, or by what the resize rule cuts off."""
    larger = ImageInput()
    larger.CopyFrom(spec)
    side = max(spec.height, spec.width)
    larger.shorter_side = max(spec.shorter_side, round(side * _ENLARGED))
    larger.height = round(spec.height * larger.shorter_side / side)
    larger.width = round(spec.width * larger.shorter_side / side)
    return images.fit(picture, larger)


def whole(picture: Image.Image, spec: ImageInput, scale: float) -> NDArray[np.uint8]:
    """Gives image_HWC u8: all of a picture, at a scale of what a graph takes; nothing of it is cut off."""
    height, width = float(spec.height), float(spec.width)
    if spec.resize == ImageInput.CENTER_CROP:
        factor = min(spec.height, spec.width) / min(picture.size)
        height, width = picture.height * factor, picture.width * factor
    scaled = ImageInput(channels=spec.channels, resize=ImageInput.STRETCH, filter=spec.filter)
    scaled.height, scaled.width = round(height * scale), round(width * scale)
    return images.fit(picture, scaled)


def _five(image_HWC: NDArray[np.uint8], spec: ImageInput) -> Crops:
    """Goes through the four corners and the centre."""
    bottom, right = image_HWC.shape[0] - spec.height, image_HWC.shape[1] - spec.width
    for top, left in ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)):
        yield _cut(image_HWC, spec, top, left)


def _overlapping(image_HWC: NDArray[np.uint8], spec: ImageInput) -> Crops:
    """Goes through parts that a graph takes, which lie at most half their side from each other."""
    for top in _places(image_HWC.shape[0], spec.height):
        for left in _places(image_HWC.shape[1], spec.width):
            yield _cut(image_HWC, spec, top, left)


def _places(side: int, part: int) -> list[int]:
    count = 1 + math.ceil((side - part) / (part / 2))
    return [round(place) for place in np.linspace(0, side - part, count)]


def _cut(image_HWC: NDArray[np.uint8], spec: ImageInput, top: int, left: int) -> NDArray[np.uint8]:
    return image_HWC[top : top + spec.height, left : left + spec.width]


def _with_mirrored(crops: Iterable[NDArray[np.uint8]]) -> Crops:
    for image_HWC in crops:
        yield image_HWC
        yield image_HWC[:, ::-1]


def _evenly(crops: Iterable[NDArray[np.uint8]], weight: float) -> list[View]:
    """Gives views that share a weight."""
    seen = list(crops)
    return [View(image_HWC, weight / len(seen)) for image_HWC in seen]


def _opened(pictures: Pictures | PictureFiles) -> Iterator[Image.Image]:
    match pictures:
        case Pictures():
            yield from (image(picture_HWC) for picture_HWC in pictures.images_NHWC)
        case PictureFiles():
            yield from (images.decode(path.read_bytes()) for path in pictures.paths)


def _average(ask: Ask, views: list[list[View]]) -> NDArray[np.float32]:
    """Gives the average answer f32[N,K] to each picture's views, asking about all of one size at once."""
    by_shape: dict[tuple[int, ...], list[tuple[int, View]]] = defaultdict(list)
    for number, seen in enumerate(views):
        for view in seen:
            by_shape[view.image_HWC.shape].append((number, view))
    sums: dict[int, NDArray[np.float32]] = {}
    for same in by_shape.values():
        answered_NK = ask(np.stack([view.image_HWC for _, view in same]))
        for (number, view), answer_K in zip(same, answered_NK, strict=True):
            sums[number] = sums.get(number, np.float32(0)) + np.float32(view.weight) * answer_K
    return np.stack([sums[number] for number in range(len(views))])
