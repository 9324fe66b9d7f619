"""ResNet-20 for CIFAR-10's small colour pictures."""

from torch import nn

from protos.manifest_pb2 import Classification
from training.augmentation import Augmentation
from training.averaging import Average
from training.inputs import Image
from training.models.resnet_cifar import ResNetCIFAR
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(task: Classification, *, depth: int) -> nn.Module:
    """Gives the net for a task."""
    return ResNetCIFAR(depth, len(task.labels))


RECIPE = Recipe(
    name="resnet20-cifar10",
    summary="Names what a small colour picture shows: a vehicle or an animal.",
    source='He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, 4.2',
    data="cifar10",
    build=build,
    net={"depth": 20},
    initialisation="he",
    # Mean and deviation are those of the 50,000 training pictures.
    input=Image(height=32, width=32, channels=3, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    augmentation=Augmentation(
        flip=0.5, pad_px=4, brightness=0.3, contrast=0.3, saturation=0.3, cutout=0.5, cutout_px=12
    ),
    epochs=80,
    batch_size=128,
    optimizer=Optimizer(kind="sgd", lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
    schedule=Schedule(kind="one_cycle", warmup=0.15),
    average=Average(kind="ema", decay=0.998),
    precision="auto",
    monitor="loss",
    patience_epochs=80,
    validation=0.05,
)
