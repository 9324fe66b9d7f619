"""A net's architecture that weights from elsewhere are known to fit, and the way in which its pictures are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import nn

from export import provenance
from export.candidate import Candidate
from export.convert import convert
from export.graphs import ClassifierGraph
from export.imports import labels, weights
from export.imports.samples import Samples
from hondo import artifact
from protos.manifest_pb2 import Classification, DataSource, ImageInput, Weights
from training.models.alexnet import AlexNet
from training.models.efficientnet_lite import SCALES, EfficientNetLite, Size
from training.models.resnet import Depth as ResNetDepth
from training.models.resnet import ResNet
from training.models.vgg import VGG
from training.models.vgg import Depth as VGGDepth
from training.pixels import Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A net that is built here as its weights expect it."""

    # "ResNet-50": how people call it.
    title: str
    # Paper that it follows.
    source: str
    # Makes the net for so many classes.
    build: Callable[[int], nn.Module]
    # Name of the layer whose rows are the classes.
    last: str
    # How a picture becomes what the graph takes, and of values in 0..1, per channel, what is taken off and divided by.
    image: ImageInput
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A file of weights, and what the user says of it."""

    path: Path
    origin: str
    terms: str
    data: tuple[DataSource, ...]
    # Of what brought the file, by package.
    library_versions: Mapping[str, str]


def candidate(
    name: str, architecture: Architecture, given: Given, labels_path: Path | None, take: Callable[[ImageInput], Samples]
) -> Candidate:
    """Gives what becomes of weights that fit an architecture.

    Args:
        name: of the model.
        architecture: what they fit.
        given: the weights.
        labels_path: a file with the names of the classes; ImageNet's unless given.
        take: gives the pictures to prove the graph on.

    Raises:
        InvalidRequest: the weights do not fit, or the names.
    """
    state = weights.read(given.path)
    classes = weights.classes(state, architecture.last, given.path)
    task = Classification(image=architecture.image, labels=labels.choose(labels_path, classes))
    net = architecture.build(classes)
    weights.fit(net, state, given.path)
    graph = ClassifierGraph(Pixels(architecture.mean, architecture.std), net)
    samples = take(architecture.image)
    made = provenance.of_import(
        Weights(origin=given.origin, terms=given.terms, file=given.path.name, sha256=artifact.sha256(given.path)),
        settings={"architecture": architecture.title, "mean": architecture.mean, "std": architecture.std},
        source=architecture.source,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        library_versions={"torch": torch.__version__, **given.library_versions},
        data=given.data,
    )
    return Candidate(
        name=name,
        summary=f"Names what is in a picture, one of {classes:,} classes ({architecture.title}).",
        task=task,
        provenance=made,
        scores=(),
        samples=samples.images_NHWC,
        samples_are=samples.are,
        reference=graph,
        write=partial(convert, graph, task),
    )


def _torchvision(title: str, source: str, last: str, build: Callable[[int], nn.Module]) -> Architecture:
    """Gives an architecture with the preprocessing of torchvision's first weights."""
    return Architecture(
        title=title,
        source=source,
        build=build,
        last=last,
        image=ImageInput(
            height=224,
            width=224,
            channels=3,
            resize=ImageInput.CENTER_CROP,
            filter=ImageInput.BILINEAR,
            shorter_side=256,
        ),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


def _resnet(depth: ResNetDepth) -> Architecture:
    source = "He, Zhang, Ren, Sun, Deep residual learning for image recognition, 2015, table 1"
    return _torchvision(f"ResNet-{depth}", source, "fc", partial(ResNet, depth))


def _vgg(depth: VGGDepth, *, batch_norm: bool) -> Architecture:
    source = "Simonyan, Zisserman, Very deep convolutional networks for large-scale image recognition, 2014, table 1"
    title = f"VGG-{depth} with batch normalisation" if batch_norm else f"VGG-{depth}"
    return _torchvision(title, source, "classifier.6", partial(VGG, depth, batch_norm=batch_norm))


# By torchvision's names.
TORCHVISION: Final[Mapping[str, Architecture]] = {
    "alexnet": _torchvision(
        "AlexNet",
        "Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014",
        "classifier.6",
        AlexNet,
    ),
    "vgg11": _vgg(11, batch_norm=False),
    "vgg11_bn": _vgg(11, batch_norm=True),
    "vgg16": _vgg(16, batch_norm=False),
    "vgg16_bn": _vgg(16, batch_norm=True),
    "resnet18": _resnet(18),
    "resnet34": _resnet(34),
    "resnet50": _resnet(50),
}

# The source's evaluation cuts out side / (side + 32) of the shorter side (CROP_PADDING in its preprocessing.py).
_CROP_PADDING_PX: Final = 32


def efficientnet_lite(size: Size) -> Architecture:
    """Gives an EfficientNet-Lite as TensorFlow's weights expect it: pixels as (value - 127) / 128."""
    side_px = SCALES[size].side_px
    return Architecture(
        title=f"EfficientNet-Lite{size}",
        source="Liu, EfficientNet-Lite, 2020, after Tan, Le, EfficientNet, 2019",
        build=partial(EfficientNetLite, size),
        last="_fc",
        image=ImageInput(
            height=side_px,
            width=side_px,
            channels=3,
            resize=ImageInput.CENTER_CROP,
            filter=ImageInput.BICUBIC,
            shorter_side=side_px + _CROP_PADDING_PX,
        ),
        mean=(127 / 255, 127 / 255, 127 / 255),
        std=(128 / 255, 128 / 255, 128 / 255),
    )
