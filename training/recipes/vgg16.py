"""VGG-16 or 11 for pictures of your own."""

from typing import Literal

from torch import nn

from protos.manifest_pb2 import Classification
from training.augmentation import Augmentation
from training.inputs import Image
from training.models.vgg import VGG
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(task: Classification, *, depth: Literal[11, 16], batch_norm: bool, dropout: float) -> nn.Module:
    """Gives the net for a task."""
    return VGG(depth, len(task.labels), batch_norm=batch_norm, dropout=dropout)


RECIPE = Recipe(
    name="vgg16",
    summary="Names what a picture shows.",
    source='Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014, 2 and 3.1',
    data="folder",
    build=build,
    net={"depth": 16, "batch_norm": True, "dropout": 0.5},
    initialisation="he",
    # Mean and deviation are those of ImageNet's training pictures.
    input=Image(
        height=224,
        width=224,
        channels=3,
        resize="center_crop",
        shorter_side=256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    ),
    augmentation=Augmentation(flip=0.5, crop_share=0.25, pca_colour=0.1),
    epochs=74,
    batch_size=64,
    optimizer=Optimizer(kind="sgd", lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Schedule(kind="step"),
    precision="auto",
    patience_epochs=20,
    validation=0.1,
)
