"""`hondo import onnx`: a user's own ONNX file."""

import json
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from export.imports import file, original, own, shape
from export.imports.front import Channels, Front, Layout
from export.imports.original import Original
from export.imports.own import Own
from export.imports.shape import Shape
from export.imports.target import NOT_STATED, Target, common_options, origin_of, publish_import
from hondo.errors import InvalidRequest
from protos.manifest_pb2 import ImageInput
from serving.runtime.session import Session

_BYTE: Final = 1 / 255


def _numbers(_ctx: click.Context, option: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no number, and no numbers with commas between them") from error


def _size_px(_ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    height, _, width = value.lower().partition("x")
    if not height.isdecimal() or not (width or height).isdecimal():
        raise click.BadParameter(f"{value!r} is no size: pixels, such as 224, or height x width, such as 224x160")
    return int(height), int(width or height)


@click.command("onnx")
@click.argument("onnx_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="The model's name.")
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="File with the name of one class a line, in the order of the file's output.",
)
@click.option("--size", callback=_size_px, metavar="PX|HxW", help="Of the pictures that the file takes, if it is open.")
@click.option(
    "--resize",
    default="stretch",
    show_default=True,
    metavar="stretch|PX",
    help="Scale each side by itself; or the shorter one to PX pixels and cut the centre out.",
)
@click.option(
    "--filter",
    "kernel",
    type=click.Choice(["nearest", "bilinear", "bicubic", "lanczos"]),
    default="bilinear",
    show_default=True,
    help="How pixels are interpolated.",
)
@click.option(
    "--layout", type=click.Choice(["nchw", "nhwc"]), show_default="by the file's shape", help="Order of axes."
)
@click.option("--channels", type=click.Choice(["rgb", "bgr"]), default="rgb", show_default=True, help="Of colours.")
@click.option(
    "--scale", type=float, show_default="1/255; 1 where it takes bytes", help="What each byte is multiplied by."
)
@click.option(
    "--mean", callback=_numbers, default="0", show_default=True, help="Taken off then; one, or a channel each."
)
@click.option(
    "--std", callback=_numbers, default="1", show_default=True, help="Divided by then; one, or a channel each."
)
@click.option(
    "--softmax",
    type=click.Choice(["yes", "no"]),
    show_default="yes unless the file ends with one",
    help="Whether a softmax must make probabilities of what the file gives.",
)
@click.option("--output", help="Which of the file's outputs has the classes, if there are several.")
@click.option("--origin", help="Who made the file and where it is from, for the card.")
@click.option("--terms", default=NOT_STATED, help="Under what terms it may be used, for the card.")
@click.option("--summary", help="One sentence on what the model does, for the card.")
@common_options
def onnx(
    *,
    onnx_file: Path,
    labels: Path,
    size: tuple[int, int] | None,
    resize: str,
    kernel: str,
    layout: Layout | None,
    channels: Channels,
    scale: float | None,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    softmax: str | None,
    output: str | None,
    origin: str | None,
    terms: str,
    summary: str | None,
    **options: Any,
) -> None:
    """A classifier of pictures in an ONNX file of one's own.

    What turns a picture into the file's input, and its output into probabilities, is put into the graph: a pixel
    becomes (byte * scale - mean) / std.
    """
    target = Target(**options)
    session = original.open_session(onnx_file)
    pictures = shape.read(session.inputs[0], layout, size)
    front = _front(session, pictures, channels, scale, mean=mean, std=std)
    chosen = original.output(session, output)
    sums = softmax == "yes" if softmax else not own.ends_with_softmax(file.read(onnx_file), chosen.name)
    given = Own(
        path=onnx_file,
        image=_image(pictures, resize, kernel),
        labels=labels,
        origin=origin or origin_of(onnx_file),
        terms=terms,
        summary=summary or f"Names what is in a picture ({target.name}).",
        settings={**front.settings(), "softmax": sums, "output": chosen.name},
    )
    click.echo(f"file     {onnx_file}: {json.dumps(dict(given.settings))}")
    publish_import(target, lambda take: own.candidate(target.name, given, Original(session, front, chosen, sums), take))


def _front(
    session: Session,
    pictures: Shape,
    channels: Channels,
    scale: float | None,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Front:
    datatype = session.inputs[0].datatype.numpy
    as_bytes = 1.0 if datatype == np.uint8 else _BYTE
    try:
        return Front(
            layout=pictures.layout,
            channels="grey" if pictures.channels == 1 else channels,
            scale=as_bytes if scale is None else scale,
            mean=mean,
            std=std,
            datatype=datatype,
        )
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def _image(pictures: Shape, resize: str, kernel: str) -> ImageInput:
    spec = ImageInput(height=pictures.height, width=pictures.width, channels=pictures.channels, filter=kernel.upper())
    if resize == "stretch":
        spec.resize = ImageInput.STRETCH
        return spec
    if not resize.isdecimal() or int(resize) < max(pictures.height, pictures.width):
        raise click.BadParameter(
            f"--resize is {resize!r}: stretch, or the shorter side in pixels, at least as many as are cut out"
        )
    spec.resize = ImageInput.CENTER_CROP
    spec.shorter_side = int(resize)
    return spec
