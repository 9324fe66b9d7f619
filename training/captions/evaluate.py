"""`hondo evaluate captions`: a served captioner on the test pictures of a data set."""

import json
import sys
from pathlib import Path

import click
from tqdm import tqdm  # type: ignore[import-untyped]  # has no stubs of its own

from hondo.access import Access, asks
from hondo.client import Client
from training.captions import album
from training.captions.command import read_pictures
from training.captions.judge import Judged, judge


@click.command()
@click.argument("model")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Folder of Flickr8k, or of COCO's captions.",
)
@click.option("--beam", type=click.IntRange(1), default=1, show_default=True, help="1 says one word after another.")
@click.option("--length-penalty", type=click.FloatRange(0), help="Of a beam.  [default: the model's own]")
@click.option("--pictures", type=click.IntRange(1), show_default="all", help="How many of them, the first ones.")
@asks
@click.option(
    "--page",
    "page_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write a page with the best and the worst captions there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def captions(
    server: str,
    access: Access,
    *,
    model: str,
    data: str,
    beam: int,
    length_penalty: float | None,
    pictures: int | None,
    page_folder: Path | None,
    as_json: bool,
) -> None:
    """Ask a running server for captions of a data set's test pictures, and score MODEL's by what people said.

    BLEU, ROUGE-L and CIDEr are pycocoevalcap's. Words are lower case letters and digits, without what stands between
    them, in the model's captions and in people's: another tokeniser than the Java one that papers use.
    """
    test = read_pictures(data).test
    asked = test.first(pictures or len(test))
    with (
        Client(server, access=access) as client,
        tqdm(total=len(asked), leave=False, disable=not sys.stderr.isatty()) as bar,
    ):
        judged = judge(client, model, asked, bar.update, beam=beam, length_penalty=length_penalty)
    how = f"asked for a beam of {beam}" if beam > 1 else "asked for the most probable word at each place"
    if page_folder:
        click.echo(f"page: {album.write(judged, how, page_folder)}", err=True)
    click.echo(_json(judged, beam) if as_json else _text(judged, how))


def _text(judged: Judged, how: str) -> str:
    lines = [f"{judged.model} version {judged.version} on {len(judged.said):,} test pictures, {how}"]
    lines += [f"  {name:8} {score:.3f}" for name, score in judged.measured.scores.items()]
    return "\n".join(lines)


def _json(judged: Judged, beam: int) -> str:
    captions_ = [
        {"file": file.name, "caption": said, "cider": cider}
        for file, said, cider in zip(judged.pictures.files, judged.said, judged.measured.cider, strict=True)
    ]
    facts = {"model": judged.model, "version": judged.version, "pictures": len(judged.said), "beam": beam}
    return json.dumps({**facts, **judged.measured.scores, "captions": captions_}, ensure_ascii=False)
