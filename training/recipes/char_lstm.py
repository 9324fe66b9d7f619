"""A character LSTM, with the regularisation that a text of a million characters takes."""

from torch import nn

from protos.manifest_pb2 import TextGeneration
from training.averaging import Average
from training.inputs import Characters
from training.models.recurrent import Cell, Recurrent
from training.optimizers import Optimizer
from training.recipe import Recipe
from training.schedules import Schedule


def build(
    task: TextGeneration,
    *,
    cell: Cell,
    layers: int,
    width: int,
    dimensions: int,
    tied: bool,
    input_dropout: float,
    dropout: float,
    recurrent_dropout: float,
) -> nn.Module:
    """Gives the net for a task."""
    return Recurrent(
        len(task.vocabulary),
        cell=cell,
        layers=layers,
        width=width,
        dimensions=dimensions,
        tied=tied,
        input_dropout=input_dropout,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
    )


RECIPE = Recipe(
    name="char-lstm",
    summary="Writes text in the manner of what it has read, a character at a time.",
    source='Zaremba, Sutskever, Vinyals, "Recurrent neural network regularization", 2014, 3, on characters',
    data="tinyshakespeare",
    build=build,
    net={
        "cell": "lstm",
        "layers": 2,
        "width": 512,
        "dimensions": 128,
        "tied": False,
        "input_dropout": 0.1,
        "dropout": 0.4,
        "recurrent_dropout": 0.2,
    },
    input=Characters(window=64),
    epochs=22,
    batch_size=64,
    optimizer=Optimizer(kind="adamw", lr=4e-3, weight_decay=0.05),
    schedule=Schedule(kind="one_cycle", warmup=0.15),
    average=Average(kind="ema", decay=0.998),
    max_gradient_norm=1,
    precision="auto",
    patience_epochs=5,
    validation=0.1,
)
