"""`hondo caption`: what is in a picture, word by word as the model says it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from hondo import asked, images, strip
from hondo.access import Access, asks
from hondo.ahead import ahead
from hondo.client import Client
from hondo.errors import InvalidRequest
from hondo.items import Picture
from hondo.maps import Map
from hondo.told import Told
from protos.hondo_pb2 import Caption


@click.command()
@click.argument(
    "pictures", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER [FILE|FOLDER]..."
)
@click.option("--model", default="", help="Name of the model; not needed where only one makes captions.")
@click.option(
    "--beam",
    "beam_width",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Go on with so many captions at each word, and give the best.",
)
@click.option("--n-best", "captions", type=click.IntRange(1), default=1, show_default=True, help="How many to give.")
@click.option(
    "--length-penalty",
    type=click.FloatRange(0),
    help="Of a beam: the higher, the longer the captions.  [default: the model's own]",
)
@click.option("--max-words", type=click.IntRange(1), help="Most words of a caption.  [default: the model's own]")
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="0 for the most probable word each time; the higher, the more surprising.",
)
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Choose among the fewest most probable that together have this share.",
)
@click.option(
    "--seed", type=click.IntRange(0), help="The same one gives the same captions.  [default: another each time]"
)
@click.option(
    "--attention",
    "strip_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    help="Draw where it looked at each word of one picture's caption.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a picture, also for a single one.")
@asks
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    help="How long each picture may take, seconds.",
)
def caption(
    server: str,
    access: Access,
    *,
    pictures: tuple[Path, ...],
    max_words: int | None,
    strip_path: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Ask a server what is in pictures, and type what it says as it comes.

    Pictures are PNG, JPEG, WebP, BMP, GIF and TIFF files, or folders of them. Of several, each has a JSON object on a
    line; what cannot be answered is named with its reason, and the rest is answered.
    """
    paths = [Path(str(each.item)) for each in asked.pictures(pictures)]
    if strip_path and len(paths) > 1:
        raise click.UsageError(f"--attention draws one picture, but there are {len(paths)}")
    settings |= {"max_words": max_words or 0}
    with Client(server, access=access) as client:
        if as_json or len(paths) > 1:
            _list(client, paths, settings)
            return
        told = _type(client, paths[0], settings, with_maps=strip_path is not None)
    if strip_path:
        strip_path.parent.mkdir(parents=True, exist_ok=True)
        strip.draw(images.decode(paths[0].read_bytes()), told.looked).save(strip_path)
        click.echo(f"where it looked: {strip_path}", err=True)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """All that a server told of one picture."""

    last: Told
    # The words of the first caption, each with the map of where the model looked; none unless asked for.
    looked: Sequence[tuple[str, Map]] = ()

    @property
    def captions(self) -> Sequence[Caption]:
        """The captions, the best first."""
        return self.last.captions


def _type(client: Client, path: Path, settings: dict[str, Any], *, with_maps: bool) -> Whole:
    """Types a caption as it comes; several, or those of a beam, when they are there."""
    alone, looked, blank = settings["captions"] == 1, [], ""
    with closing(client.caption(path, attention=with_maps, **settings)) as telling:
        for told in telling:
            for word in told.words:
                if alone:
                    click.echo(f"{blank}{word.text}", nl=False)
                    blank = " "
                if with_maps and word.caption == 0:
                    looked.append((word.text, told.map_of(word)))
    if alone:
        click.echo()
    else:
        for each in told.captions:
            click.echo(f"{each.score:8.3f}  {each.text}")
    return Whole(told, looked)


def each_in_turn(
    client: Client, pictures: Iterable[Picture], **settings: Any
) -> Iterator[Whole | InvalidRequest | OSError]:
    """Gives what a server tells of each picture, in their order, or why it cannot; some are under way at once.

    Args:
        client: of the server to ask.
        pictures: bytes of files, or paths.
        settings: of `Client.caption`.

    Raises:
        HondoError: a failure that does not concern one picture alone.
    """

    def ask(picture: Picture) -> Whole | InvalidRequest | OSError:
        try:
            *_, last = client.caption(picture, **settings)
        except (InvalidRequest, OSError) as error:
            return error
        return Whole(last)

    return ahead(ask, pictures)


def _list(client: Client, paths: Sequence[Path], settings: dict[str, Any]) -> None:
    failed = 0
    for path, answer in zip(paths, each_in_turn(client, paths, **settings), strict=True):
        if isinstance(answer, Whole):
            click.echo(json.dumps({"file": str(path), **_facts(answer)}))
        else:
            failed += 1
            click.echo(f"{path}: {_reason(answer)}", err=True)
    if failed:
        raise click.ClickException(f"{failed} of {len(paths)} pictures could not be answered")


def _facts(whole: Whole) -> dict[str, object]:
    last = whole.last
    captions = [
        {
            "caption": each.text,
            "log_likelihood": each.log_likelihood,
            "score": each.score,
            "ended": Caption.Reason.Name(each.reason).lower(),
        }
        for each in last.captions
    ]
    return {"model": last.model, "version": last.version, "seed": last.seed, "captions": captions}


def _reason(error: InvalidRequest | OSError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
