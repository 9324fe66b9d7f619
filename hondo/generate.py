"""`hondo generate`: what a model writes, typed as it comes."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import click

from hondo.access import Access, asks
from hondo.client import Client
from hondo.piece import Piece
from protos.hondo_pb2 import Ending

# The exit status of a command that Ctrl-C ended.
_INTERRUPTED: Final = 130


@click.command()
@asks
@click.option("--model", default="", help="Name of the model; not needed where only one writes.")
@click.option("--prompt", default="", help="What to write on from.  [default: a text's beginning]")
@click.option(
    "--max-characters", type=click.IntRange(1), default=500, show_default=True, help="Most characters to write."
)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="0 for the most probable character each time; the higher, the more surprising.",
)
@click.option(
    "--top-k", type=click.IntRange(0), default=0, help="Choose among so many of the most probable only.  [default: all]"
)
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Choose among the fewest most probable that together have this share.",
)
@click.option("--seed", type=click.IntRange(0), help="The same one writes the same text.  [default: another each time]")
@click.option("--stop", multiple=True, metavar="TEXT", help="End before this; may be given several times.")
@click.option(
    "--continuations", type=click.IntRange(1), default=1, show_default=True, help="How many, one after another."
)
@click.option("--replace-unknown", is_flag=True, help="Replace characters of the prompt that the model does not know.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a continuation instead, at its end.")
def generate(
    server: str,
    access: Access,
    *,
    model: str,
    prompt: str,
    max_characters: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int | None,
    stop: tuple[str, ...],
    continuations: int,
    replace_unknown: bool,
    as_json: bool,
) -> None:
    """Have a server write on from a prompt, and type what it writes as it comes.

    Ctrl-C ends the writing on the server, too.
    """
    with Client(server, access=access) as client:
        pieces = client.generate(
            prompt,
            model=model,
            max_characters=max_characters,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            stop=stop,
            continuations=continuations,
            replace_unknown=replace_unknown,
        )
        with closing(pieces):
            try:
                show = _show_json if as_json else _type
                show(pieces, prompt)
            except KeyboardInterrupt:
                click.echo()
                sys.exit(_INTERRUPTED)


def _type(pieces: Iterator[Piece], prompt: str) -> None:
    """Types one continuation as it comes; the others, which come meanwhile, wait for its end."""
    waiting: dict[int, list[Piece]] = defaultdict(list)
    current, begun = 0, -1
    for piece in pieces:
        waiting[piece.continuation].append(piece)
        while come := waiting.pop(current, []):
            if current > begun:
                begun = current
                click.echo((f"\n--- {current + 1} ---\n" if current else "") + prompt, nl=False)
            click.echo("".join(each.text for each in come), nl=False)
            if come[-1].ending is not None:
                current += 1
                click.echo()


def _show_json(pieces: Iterator[Piece], prompt: str) -> None:
    texts: dict[int, list[str]] = defaultdict(list)
    for piece in pieces:
        texts[piece.continuation].append(piece.text)
        if piece.ending is not None:
            click.echo(json.dumps(_facts(piece, piece.ending, prompt, "".join(texts.pop(piece.continuation)))))


def _facts(piece: Piece, ending: Ending, prompt: str, text: str) -> dict[str, object]:
    return {
        "model": piece.model,
        "version": piece.version,
        "seed": piece.seed,
        "continuation": piece.continuation,
        "prompt": prompt,
        "text": text,
        "characters": ending.characters,
        "log_likelihood": ending.log_likelihood,
        "ended": Ending.Reason.Name(ending.reason).lower(),
        "stop": ending.stop or None,
    }
