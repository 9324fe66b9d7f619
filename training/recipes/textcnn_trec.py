"""Kim's text CNN for the questions of TREC."""

from torch import nn

from protos.manifest_pb2 import Classification
from training.averaging import Average
from training.inputs import Text
from training.models.textcnn import TextCNN
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(task: Classification, *, dimensions: int, widths: tuple[int, ...], filters: int, dropout: float) -> nn.Module:
    """Gives the net for a task."""
    words, classes = len(task.text.vocabulary), len(task.labels)
    return TextCNN(words, classes, dimensions=dimensions, widths=widths, filters=filters, dropout=dropout)


RECIPE = Recipe(
    name="textcnn-trec",
    summary="Says what a question asks for, such as a person, a place or a number.",
    source='Kim, "Convolutional neural networks for sentence classification", 2014, 2 (CNN-rand)',
    data="trec",
    build=build,
    # Fewer dimensions than the paper's 300 are as good here, and make a file less than half as large.
    net={"dimensions": 128, "widths": (3, 4, 5), "filters": 100, "dropout": 0.7},
    input=Text(length=40, min_count=2),
    epochs=12,
    batch_size=50,
    optimizer=Optimizer(kind="adamw", lr=2e-3, weight_decay=0.1),
    schedule=Schedule(kind="one_cycle", warmup=0.2),
    average=Average(kind="ema", decay=0.99),
    monitor="error",
    patience_epochs=6,
    validation=0.1,
)
