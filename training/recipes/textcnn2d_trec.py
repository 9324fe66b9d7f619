"""The two-dimensional text CNN for the questions of TREC."""

from torch import nn

from protos.manifest_pb2 import Classification
from training.averaging import Average
from training.inputs import Text
from training.models.textcnn2d import TextCNN2D
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(task: Classification, *, dimensions: int, dropout: float) -> nn.Module:
    """Gives the net for a task."""
    words, classes = len(task.text.vocabulary), len(task.labels)
    return TextCNN2D(words, classes, task.text.length, dimensions=dimensions, dropout=dropout)


RECIPE = Recipe(
    name="textcnn2d-trec",
    summary="Says what a question asks for, such as a person, a place or a number.",
    source='Zhou, Qi, Zheng, Xu, Bao, Xu, "Text classification improved by ... two-dimensional max pooling", 2016, 2',
    data="trec",
    build=build,
    net={"dimensions": 64, "dropout": 0.7},
    input=Text(length=40, min_count=2),
    epochs=12,
    batch_size=50,
    optimizer=Optimizer(kind="adamw", lr=1e-3, weight_decay=0.1),
    schedule=Schedule(kind="one_cycle", warmup=0.2),
    average=Average(kind="ema", decay=0.99),
    monitor="error",
    patience_epochs=6,
    validation=0.1,
)
