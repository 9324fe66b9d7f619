"""LeNet-5 for handwritten digits."""

from torch import nn

from protos.manifest_pb2 import Classification
from training.activations import Activation
from training.augmentation import Augmentation
from training.averaging import Average
from training.inputs import Image
from training.models.lenet5 import LeNet5
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(task: Classification, *, activation: Activation) -> nn.Module:
    """Gives the net for a task."""
    return LeNet5(len(task.labels), activation=activation)


RECIPE = Recipe(
    name="lenet5",
    summary="Names what a small grey picture shows, such as a handwritten digit.",
    source='LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998, II.B',
    data="mnist",
    build=build,
    net={"activation": "relu"},
    # Mean and deviation are those of MNIST's training pictures.
    input=Image(height=28, width=28, channels=1, mean=(0.1307,), std=(0.3081,), bright_on_dark=True),
    augmentation=Augmentation(
        rotation_deg=10, shift=0.07, scale=0.1, shear_deg=10, elastic_sigma_px=4, elastic_alpha=1
    ),
    epochs=100,
    batch_size=256,
    optimizer=Optimizer(kind="adamw", lr=3e-3, weight_decay=0.05),
    schedule=Schedule(kind="one_cycle", warmup=0.1),
    average=Average(kind="ema", decay=0.9995),
    patience_epochs=30,
    validation=1 / 12,
)
