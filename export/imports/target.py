"""Where something imported goes and how it is judged: what all forms of `hondo import` have in common."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from export import publish
from export.build import build
from export.candidate import Candidate
from export.gate import BATCH_SIZES
from export.imports import samples
from export.imports.architecture import Given
from export.imports.samples import Samples
from export.precision import material
from export.precision.choice import Lowering, Name
from export.precision.options import precision_options
from protos.manifest_pb2 import ImageInput
from training.data import choice

_PROOF: Final = sum(BATCH_SIZES)
# Pictures that a lowered graph is scored on where there is no labelled data.
_HELD_OUT: Final = 512
NOT_STATED: Final = "not stated"

_Command = TypeVar("_Command", bound=Callable[..., Any])
Take = Callable[[ImageInput], Samples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is common to all that is imported: where it goes, what it is proved on, and in what precision."""

    models: Path
    name: str
    version: int | None
    pictures: Path | None
    precision: Name
    data: str | None
    max_drop_points: float


to_option: Final = click.option(
    "--to",
    "models",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("models"),
    show_default=True,
    help="The folder of models.",
)
version_option: Final = click.option(
    "--version", type=click.IntRange(1, 2**32 - 1), help="The next free one, unless given."
)
pictures_option: Final = click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of pictures to prove it on; crops of two that scikit-learn ships, unless given.",
)


def common_options(command: _Command) -> _Command:
    """Adds the options whose values make a `Target`."""
    for option in (precision_options, pictures_option, version_option, to_option):
        command = option(command)
    return command


def own_file(path: Path, origin: str | None = None, terms: str = NOT_STATED) -> Given:
    """Gives a user's own file of weights, and what the user says of it."""
    return Given(path=path, origin=origin or origin_of(path), terms=terms, data=(), library_versions={})


def origin_of(path: Path) -> str:
    """Gives what a card says of a file of which its user says nothing."""
    return f"A user's own file {path.name}"


def publish_import(target: Target, make: Callable[[Take], Candidate]) -> None:
    """Makes a candidate and publishes it.

    Args:
        target: where to, and how.
        make: gives the candidate, once it is told how to get pictures.
    """
    count = _PROOF if target.precision == Name.FP32 or target.data else _PROOF + material.CALIBRATION + _HELD_OUT
    taken: list[Samples] = []

    def take(spec: ImageInput) -> Samples:
        taken.append(samples.take(spec, target.pictures, count))
        return taken[-1].part(0, _PROOF)

    def write(folder: Path) -> None:
        made = make(take)
        click.echo(f"import   {made.name}: {made.provenance.parameters:,} parameters, {len(made.task.labels)} labels")
        build(made, folder, click.echo, _lowering(target, made, taken[-1]))

    publish_as(target.models, target.name, target.version, write)


def publish_as(models: Path, name: str, version: int | None, write: Callable[[Path], None]) -> None:
    """Publishes what is written into a new folder.

    Args:
        models: the folder of models.
        name: of the model.
        version: the next free one unless given.
        write: makes and proves the artifact in the folder that it is given.
    """
    started_s = time.monotonic()
    try:
        place = publish.place(models, name, version)
        with publish.staged(place) as folder:
            write(folder)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"done     {place} in {time.monotonic() - started_s:.1f} s; next: hondo serve {models}")


def _lowering(target: Target, made: Candidate, pictures: Samples) -> Lowering | None:
    if target.precision == Name.FP32:
        return None
    if target.data:
        data = choice.read(target.data)
        return material.of_data_set(target.precision, data, made.task, made.provenance.data, target.max_drop_points)
    calibration = pictures.part(_PROOF, material.CALIBRATION).images_NHWC
    held_out = pictures.part(_PROOF + material.CALIBRATION, _HELD_OUT)
    return material.of_pictures(
        target.precision, calibration, held_out.images_NHWC, held_out.are, target.max_drop_points
    )
