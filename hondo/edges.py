"""`hondo edges`: the edges of pictures, as pictures.

Legend: H height, W width, C channels.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import click
import numpy as np
from PIL import Image

from hondo import asked, images, maps
from hondo.access import Access, asks
from hondo.ahead import ahead
from hondo.client import Client
from hondo.errors import InvalidRequest
from hondo.maps import FORMATS, Bits, Detected

_PNG: Final = ".png"


@click.command()
@click.argument(
    "pictures", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER [FILE|FOLDER]..."
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE.png|FOLDER",
    help="Where the edges go: a PNG file for one picture, a folder for any number.",
)
@click.option("--model", default="", help="Name of the edge detector; not needed where there is only one.")
@click.option("--thin", is_flag=True, help="Make broad edges lines one pixel wide (non-maximum suppression).")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="0..1",
    help="Make what is at least so strong white, all else black.",
)
@click.option("--bits", type=click.Choice(["8", "16"]), default="8", show_default=True, help="Of each pixel written.")
@click.option("--beside", is_flag=True, help="Put each picture beside its edges.")
@click.option("--side-edges", is_flag=True, help="Write the net's side outputs too, as NAME-side1.png and so on.")
@asks
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    help="How long each picture may take, seconds.",
)
def edges(
    server: str,
    access: Access,
    *,
    pictures: tuple[Path, ...],
    out: Path,
    model: str,
    thin: bool,
    threshold: float | None,
    bits: str,
    beside: bool,
    side_edges: bool,
    timeout_s: float,
) -> None:
    """Ask a server for the edges in pictures of any size.

    Pictures are PNG, JPEG, WebP, BMP, GIF and TIFF files, or folders of them. What cannot be answered is named with its
    reason, and the rest is written.
    """
    if beside and bits != "8":
        raise click.UsageError("--beside goes with --bits 8: the picture has no more")
    paths = [Path(str(each.item)) for each in asked.pictures(pictures)]
    written = _places(paths, out)
    exact = cast("Bits", int(bits))
    settings: dict[str, Any] = {"model": model, "thin": thin, "threshold": threshold or 0.0, "side_edges": side_edges}
    failed = 0
    with Client(server, timeout_s=timeout_s, access=access) as client:
        found = each_in_turn(client, paths, bits=exact, **settings)
        for path, place, answer in zip(paths, written, found, strict=True):
            if isinstance(answer, Detected):
                _write(answer, place, exact, path if beside else None)
                click.echo(f"{path} -> {place}")
            else:
                failed += 1
                click.echo(f"{path}: {_reason(answer)}", err=True)
    if failed:
        raise click.ClickException(f"{failed} of {len(paths)} pictures could not be answered")


def each_in_turn(
    client: Client, paths: Iterable[Path], **settings: Any
) -> Iterator[Detected | InvalidRequest | OSError]:
    """Gives the edges of each picture, in their order, or why there are none; some are under way at once.

    Args:
        client: of the server to ask.
        paths: of the pictures.
        settings: of `Client.detect_edges`.

    Raises:
        HondoError: a failure that does not concern one picture alone.
    """

    def detect(path: Path) -> Detected | InvalidRequest | OSError:
        try:
            (answer,) = client.detect_edges([path], **settings)
        except (InvalidRequest, OSError) as error:
            return error
        return answer

    yield from ahead(detect, paths)


def _places(paths: Sequence[Path], out: Path) -> list[Path]:
    """Gives where the edges of each picture go.

    Raises:
        click.UsageError: several would go to one place, or a picture would be overwritten.
    """
    if out.suffix.lower() == _PNG and not out.is_dir():
        if len(paths) > 1:
            raise click.UsageError(f"-o {out} is one file, but there are {len(paths)} pictures: name a folder")
        places = [out]
    else:
        places = [out / f"{path.stem}{_PNG}" for path in paths]
    twice = [place for place, count in Counter(places).items() if count > 1]
    if twice:
        raise click.UsageError(f"several pictures would go to {twice[0]}: give them different names, or ask apart")
    if over := {path.resolve() for path in paths} & {place.resolve() for place in places}:
        raise click.UsageError(f"{over.pop()} would be overwritten by its own edges: name another place with -o")
    return places


def _write(answer: Detected, place: Path, bits: Bits, picture: Path | None) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    each = {place: answer.edges_HW}
    for number, side_HW in enumerate(answer.side_edges_SHW, 1):
        each[place.with_stem(f"{place.stem}-side{number}")] = side_HW
    for path, map_HW in each.items():
        if picture is None:
            path.write_bytes(maps.encode(map_HW, FORMATS[bits]))
        else:
            _beside(picture, map_HW).save(path)


def _beside(picture: Path, map_HW: maps.Map) -> Image.Image:
    picture_HWC = images.whole(images.decode(picture.read_bytes()), 3)
    map_HWC = np.rint(map_HW * 255).astype(np.uint8)[:, :, np.newaxis].repeat(3, axis=2)
    return Image.fromarray(np.concatenate([picture_HWC, map_HWC], axis=1))


def _reason(error: InvalidRequest | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).removeprefix("images[0]: ")
