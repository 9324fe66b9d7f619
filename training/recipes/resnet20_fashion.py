"""ResNet-20 for Fashion-MNIST's pictures of clothes."""

from training.augmentation import Augmentation
from training.averaging import Average
from training.inputs import Image
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.recipes.resnet20_cifar10 import build
from training.schedules import Schedule

RECIPE = Recipe(
    name="resnet20-fashion",
    summary="Names a piece of clothing in a small picture.",
    source='He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, 4.2',
    data="fashion-mnist",
    build=build,
    net={"depth": 20},
    initialisation="he",
    # The grey picture is given three times. Mean and deviation are those of the training pictures.
    input=Image(height=28, width=28, channels=3, mean=(0.286,) * 3, std=(0.353,) * 3, bright_on_dark=True),
    augmentation=Augmentation(flip=0.5, pad_px=2, cutout=0.5, cutout_px=8),
    epochs=12,
    batch_size=128,
    optimizer=Optimizer(kind="sgd", lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
    schedule=Schedule(kind="one_cycle", warmup=0.2),
    average=Average(kind="ema", decay=0.998),
    precision="auto",
    patience_epochs=12,
    validation=1 / 30,
)
