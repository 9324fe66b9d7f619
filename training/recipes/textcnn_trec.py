"""Kim's text CNN for the questions of TREC."""

from torch import nn

from protos.manifest_pb2 import Classification
from training.averaging import Average
from training.inputs import Text
from training.models.textcnn import TextCNN
from training.optimizers import Optimizer
from training.recipe import Recipe


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
    net={"dimensions": 300, "widths": (3, 4, 5), "filters": 100, "dropout": 0.5},
    max_norm=3,
    input=Text(length=40),
    epochs=25,
    batch_size=50,
    optimizer=Optimizer(kind="adadelta", lr=1.0, rho=0.95),
    average=Average(kind="ema", decay=0.99),
    patience_epochs=25,
    validation=0.1,
)
