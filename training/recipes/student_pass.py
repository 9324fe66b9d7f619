"""A perceptron that says whether a student passes."""

from torch import nn

from protos.manifest_pb2 import Classification
from training.inputs import Table
from training.losses import Loss
from training.models.perceptron import Perceptron
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(task: Classification) -> nn.Module:
    """Gives the net for a task; of two classes one output says how likely the second is."""
    classes = len(task.labels)
    return Perceptron(len(task.table.columns), outputs=1 if classes == 2 else classes)


RECIPE = Recipe(
    name="student-pass",
    summary="Says from the hours that a student studied and slept whether the exam will be passed.",
    source='Rosenblatt, "The perceptron", 1958; its output a probability, as in logistic regression',
    data="students",
    build=build,
    input=Table(),
    epochs=60,
    batch_size=32,
    loss=Loss(kind="binary_cross_entropy"),
    optimizer=Optimizer(kind="adam", lr=0.1),
    schedule=Schedule(kind="one_cycle", warmup=0.1),
    patience_epochs=60,
    validation=0.1,
)
