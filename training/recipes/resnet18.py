"""ResNet-18, 34 or 50 for pictures of your own."""

from typing import Literal

from torch import nn

from protos.manifest_pb2 import Classification
from training.augmentation import Augmentation
from training.averaging import Average
from training.inputs import Image
from training.losses import Loss
from training.models.resnet import ResNet
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(task: Classification, *, depth: Literal[18, 34, 50]) -> nn.Module:
    """Gives the net for a task."""
    return ResNet(depth, len(task.labels))


RECIPE = Recipe(
    name="resnet18",
    summary="Names what a picture shows.",
    source='He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, 3 and table 1',
    data="folder",
    build=build,
    net={"depth": 18},
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
    augmentation=Augmentation(flip=0.5, crop_share=0.25, brightness=0.4, contrast=0.4, saturation=0.4, pca_colour=0.1),
    epochs=90,
    batch_size=64,
    loss=Loss(label_smoothing=0.1),
    optimizer=Optimizer(kind="sgd", lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4),
    schedule=Schedule(kind="cosine", warmup=0.05),
    average=Average(kind="ema", decay=0.999),
    precision="auto",
    patience_epochs=30,
    validation=0.1,
)
