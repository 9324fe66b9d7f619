"""A multi-layer perceptron with dropout, for handwritten digits."""

from torch import nn

from protos.manifest_pb2 import Classification
from training.activations import Activation
from training.augmentation import Augmentation
from training.averaging import Average
from training.inputs import Image
from training.models.mlp import MLP
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(
    task: Classification, *, hidden: tuple[int, ...], activation: Activation, dropout: float, input_dropout: float
) -> nn.Module:
    """Gives the net for a task."""
    pixels = task.image.height * task.image.width * task.image.channels
    return MLP(
        pixels,
        len(task.labels),
        hidden=hidden,
        activation=activation,
        dropout=dropout,
        input_dropout=input_dropout,
    )


RECIPE = Recipe(
    name="mlp-mnist",
    summary="Names a handwritten digit without looking at neighbourhoods of pixels.",
    source='Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout", 2014, 6.1.1 and table 2',
    data="mnist",
    build=build,
    net={"hidden": (1024, 1024), "activation": "relu", "dropout": 0.5, "input_dropout": 0.2},
    initialisation="he",
    # Black is 0, so that a dropped input is black.
    input=Image(height=28, width=28, channels=1, mean=(0.0,), std=(1.0,), bright_on_dark=True),
    augmentation=Augmentation(rotation_deg=8, shift=0.05, scale=0.08),
    epochs=60,
    batch_size=256,
    optimizer=Optimizer(kind="adamw", lr=1e-3, weight_decay=0.01),
    schedule=Schedule(kind="one_cycle", warmup=0.1),
    average=Average(kind="ema", decay=0.999),
    patience_epochs=20,
    validation=1 / 12,
)
