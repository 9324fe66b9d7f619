"""AlexNet for pictures of your own."""

from torch import nn

from protos.manifest_pb2 import Classification
from training.augmentation import Augmentation
from training.inputs import Image
from training.models.alexnet import AlexNet2012
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(task: Classification, *, dropout: float) -> nn.Module:
    """Gives the net for a task."""
    return AlexNet2012(len(task.labels), dropout=dropout)


RECIPE = Recipe(
    name="alexnet",
    summary="Names what a picture shows.",
    source='Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012',
    data="folder",
    build=build,
    net={"dropout": 0.5},
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
    epochs=90,
    batch_size=128,
    optimizer=Optimizer(kind="sgd", lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Schedule(kind="step", milestones=(0.4, 0.7, 0.9)),
    patience_epochs=30,
    validation=0.1,
)
