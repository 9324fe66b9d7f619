"""`hondo summary`: a net layer by layer, in a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import torch
from torch import Tensor, nn

from hondo.errors import InvalidRequest
from protos.manifest_pb2 import Classification
from training import inputs, recipe, run
from training.captions.recipe import CaptionRecipe
from training.data.choice import KINDS, PLACES, choose
from training.edges import run as edges_run
from training.edges.recipe import EdgeRecipe
from training.fixed import FixedRecipe
from training.inputs import Characters, Image
from training.layers import Layer, example, layers
from training.models.kernels import Values
from training.pixels import Pixels
from training.recipe import AnyRecipe, Recipe

# Of a recipe for pictures, where no data tells.
_CLASSES: Final = 10
# Height and width, where a net takes any: those of BSDS500's pictures.
_PICTURE_PX: Final = (321, 481)
_HEADINGS: Final = ("layer", "kind", "output", "parameters", "multiply-adds")
_MIB: Final = 2**20


@click.command()
@click.argument("model", metavar="MODEL|RUN")
@click.option("--data", metavar=PLACES, help=f"For MODEL: what to count classes and words in. {KINDS}")
def summary(*, model: str, data: str | None) -> None:
    """Show a net layer by layer: of a model by its name, or of a run folder."""
    subject = _subject(model, data)
    click.echo(f"source  {subject.source}")
    click.echo(f"input   {subject.input}\n")
    click.echo(_table(layers(subject.front, subject.net, subject.example)))
    mib = 4 * sum(weights.numel() for weights in subject.net.parameters()) / _MIB
    click.echo(f"\nweights {mib:,.1f} MiB in float32; multiply-adds are those of one example")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Subject:
    """A net, and what goes in."""

    source: str
    # In words.
    input: str
    front: nn.Module
    net: nn.Module
    # Of what the served graph takes, without values.
    example: Tensor


def _subject(model: str, data: str | None) -> _Subject:
    if model in recipe.names() or not Path(model).is_dir():
        return _of_recipe(recipe.load(model), data)
    if data is not None:
        raise InvalidRequest(f"{model} is a run folder, which knows its data: leave out --data")
    if edges_run.is_edge_run(Path(model)):
        detector = edges_run.load(Path(model))
        return _whole(detector.facts.recipe.source, detector.facts.recipe.task().channels, detector.net, detector.front)
    trained = run.load(Path(model))
    return _classifier(trained.source, trained.task, trained.front, trained.net)


def _of_recipe(settings: AnyRecipe, data: str | None) -> _Subject:
    match settings:
        case EdgeRecipe():
            front = Pixels(settings.input.mean, settings.input.std)
            return _whole(settings.source, settings.task().channels, settings.make(), front)
        case FixedRecipe():
            return _whole(settings.source, settings.channels, settings.make(), Values())
        case CaptionRecipe():
            raise InvalidRequest(f"{settings.name} is two nets, one that sees and one that says; this shows one")
        case Recipe() if isinstance(settings.input, Characters):
            raise InvalidRequest(f"{settings.name} is no classifier, whose layers this shows")
        case Recipe():
            task = _task(settings, data)
            with torch.device("meta"):
                return _classifier(settings.source, task, inputs.front(settings.input, task), settings.make(task))


def _classifier(source: str, task: Classification, front: nn.Module, net: nn.Module) -> _Subject:
    about = f"{_input(task)}, {len(task.labels)} classes"
    return _Subject(source=source, input=about, front=front, net=net, example=example(task))


def _whole(source: str, channels: int, net: nn.Module, front: nn.Module) -> _Subject:
    shape = (*_PICTURE_PX, channels)
    return _Subject(
        source=source,
        input=f"picture of any size, here {' x '.join(map(str, shape))}",
        front=front,
        net=net,
        example=torch.zeros(1, *shape, dtype=torch.uint8, device="meta"),
    )


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
