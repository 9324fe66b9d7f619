"""`hondo summary`: a net layer by layer, in a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import torch
from torch import nn

from hondo.errors import InvalidRequest
from protos.manifest_pb2 import Classification
from training import inputs, recipe, run
from training.data.choice import KINDS, PLACES, choose
from training.inputs import Characters, Image
from training.layers import Layer, example, layers
from training.recipe import Recipe

# Of a recipe for pictures, where no data tells.
_CLASSES: Final = 10
_HEADINGS: Final = ("layer", "kind", "output", "parameters", "multiply-adds")
_MIB: Final = 2**20


@click.command()
@click.argument("model", metavar="MODEL|RUN")
@click.option("--data", metavar=PLACES, help=f"For MODEL: what to count classes and words in. {KINDS}")
def summary(*, model: str, data: str | None) -> None:
    """Show a net layer by layer: of a model by its name, or of a run folder."""
    source, task, front, net = _subject(model, data)
    click.echo(f"source  {source}")
    click.echo(f"input   {_input(task)}, {len(task.labels)} classes\n")
    click.echo(_table(layers(front, net, task)))
    mib = 4 * sum(weights.numel() for weights in net.parameters()) / _MIB
    click.echo(f"\nweights {mib:,.1f} MiB in float32; multiply-adds are those of one example")


def _subject(model: str, data: str | None) -> tuple[str, Classification, nn.Module, nn.Module]:
    """Gives the net's source, its task, its front and the net itself."""
    if model in recipe.names() or not Path(model).is_dir():
        settings = recipe.find(model)
        if isinstance(settings.input, Characters):
            raise InvalidRequest(f"{model} is no classifier, whose layers this shows")
        task = _task(settings, data)
        with torch.device("meta"):
            return settings.source, task, inputs.front(settings.input, task), settings.make(task)
    if data is not None:
        raise InvalidRequest(f"{model} is a run folder, which knows its data: leave out --data")
    trained = run.load(Path(model))
    return trained.source, trained.task, trained.front, trained.net


def _task(settings: Recipe, data: str | None) -> Classification:
    if data is None and isinstance(settings.input, Image):
        return Classification(image=settings.input.spec(), labels=map(str, range(_CLASSES)))
    return choose(data, settings).task(settings.input)


def _input(task: Classification) -> str:
    sides = " x ".join(map(str, example(task).shape[1:]))
    match task.WhichOneof("input"):
        case "text":
            return f"{sides} words of a vocabulary of {len(task.text.vocabulary):,}"
        case "table":
            return f"{sides} columns"
        case _:
            return f"picture of {sides}"


def _table(found: Sequence[Layer]) -> str:
    rows = [_HEADINGS, *(_row(layer) for layer in found), _totals(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(_line(row, widths) for row in rows)


def _row(layer: Layer) -> tuple[str, ...]:
    output = " x ".join(map(str, layer.output))
    return (layer.name, layer.kind, output, _number(layer.parameters), _number(layer.multiply_adds))


def _totals(found: Sequence[Layer]) -> tuple[str, ...]:
    parameters, multiply_adds = (sum(layer.parameters for layer in found), sum(layer.multiply_adds for layer in found))
    return ("in all", "", "", f"{parameters:,}", f"{multiply_adds:,}")


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    words = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
    return "  ".join([*words, *numbers]).rstrip()
