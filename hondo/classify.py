"""`hondo classify`: pictures, texts or rows of a table, one line of labels each."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click

from hondo import asked
from hondo.access import Access, asks
from hondo.answer import Answer
from hondo.asked import Asked
from hondo.client import Client
from hondo.errors import InvalidRequest, ModelNotFound, WrongTask
from hondo.items import Field
from protos.hondo_pb2 import Label, Model

# How much of a text or row stands before its labels, characters.
_MOST_SHOWN: Final[dict[Field, int]] = {"texts": 60, "rows": 24}

_FILE: Final = click.Path(exists=True, dir_okay=False, allow_dash=True)
_NOUNS: Final[dict[Field, str]] = {"images": "pictures", "texts": "texts", "rows": "rows"}


@click.command()
@click.argument("pictures", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE|FOLDER]...")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text; may be given several times.")
@click.option("--texts", "texts_file", type=_FILE, help="File of texts, one a line; - is the standard input.")
@click.option("--row", "rows", multiple=True, metavar="NUMBERS", help="A row, as 3.5,1; may be given several times.")
@click.option("--csv", "csv_file", type=_FILE, help="CSV file of rows; its first line names the model's columns.")
@asks
@click.option("--model", default="", help="Name of the classifier; not needed where only one takes what is asked.")
@click.option("--top-k", type=click.IntRange(min=1), default=3, show_default=True, help="Labels for each.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def classify(
    server: str,
    access: Access,
    *,
    pictures: tuple[Path, ...],
    texts: tuple[str, ...],
    texts_file: str | None,
    rows: tuple[str, ...],
    csv_file: str | None,
    model: str,
    top_k: int,
    as_json: bool,
) -> None:
    """Ask a server what pictures, texts or rows of a table are.

    Pictures are PNG, JPEG, WebP, BMP, GIF and TIFF files, or folders of them. What cannot be classified is named with
    its reason, and the rest is answered.
    """
    field = _only_kind(images=pictures, texts=texts or texts_file, rows=rows or csv_file)
    at_hand = [*asked.pictures(pictures), *asked.texts(texts), *asked.rows(rows)]
    from_file: Iterable[Asked] = asked.lines(texts_file) if texts_file else ()
    with Client(server, access=access) as client:
        if csv_file:
            table = _table(client, model)
            model, from_file = table.name, asked.records(csv_file, table.manifest.classification.table.columns)
        width = _width(field, at_hand, texts_file or csv_file)
        answered = failed = 0
        for each, answer in _answers(client, field, chain(at_hand, from_file), model, top_k):
            answered += 1
            if answer.error is None:
                click.echo(_json(each, answer) if as_json else _line(each, answer, width))
            else:
                failed += 1
                click.echo(f"{each.place}: {_reason(answer.error)}", err=True)
    if failed:
        raise click.ClickException(f"{failed} of {answered} {_NOUNS[field]} could not be classified")


def _only_kind(**given: object) -> Field:
    """Gives the kind of things that the command line names."""
    fields: list[Field] = [field for field in _NOUNS if given[field]]
    if not fields:
        raise click.UsageError("nothing to classify: name pictures, or give --text, --texts, --row or --csv")
    if len(fields) > 1:
        raise click.UsageError(f"{' and '.join(_NOUNS[field] for field in fields)} at once: ask about one kind")
    return fields[0]


def _table(client: Client, name: str) -> Model:
    """Gives the model that is to be asked about rows.

    Raises:
        InvalidRequest: it is not named, and there are several.
        ModelNotFound: there is none.
        WrongTask: the one that is named takes no rows.
    """
    # The newest version of each comes first.
    models = [client.get_model(name)] if name else client.list_models()
    tables = [each for each in models if each.manifest.classification.WhichOneof("input") == "table"]
    if name and not tables:
        raise WrongTask(f"model {name!r} takes no rows of a table")
    if not tables:
        raise ModelNotFound("this server has no classifier of rows")
    if len(names := {each.name: None for each in tables}) > 1:
        raise InvalidRequest(f"this server has several classifiers of rows: name one of {', '.join(names)} by --model")
    return tables[0]


def _answers(
    client: Client, field: Field, given: Iterable[Asked], model: str, top_k: int
) -> Iterator[tuple[Asked, Answer[Any]]]:
    """Asks about all that can be asked; gives everything with its answer, in order."""
    waiting: deque[Asked] = deque()

    def items() -> Iterator[Any]:
        for each in given:
            waiting.append(each)
            if not isinstance(each.item, InvalidRequest):
                yield each.item

    def refused() -> Iterator[tuple[Asked, Answer[Any]]]:
        while waiting and isinstance(waiting[0].item, InvalidRequest):
            yield waiting[0], Answer(item=None, error=waiting[0].item)
            waiting.popleft()

    arguments: dict[str, Any] = {field: items(), "model": model, "top_k": top_k}
    for answer in client.classify_many(**arguments):
        yield from refused()
        yield waiting.popleft(), answer
    yield from refused()


def _width(field: Field, at_hand: Sequence[Asked], file: str | None) -> int:
    """Gives the width of what stands before the labels: paths whole, texts and rows in part."""
    longest = max((len(each.shown) for each in at_hand), default=0)
    if field == "images":
        return longest
    return _MOST_SHOWN[field] if file else min(longest, _MOST_SHOWN[field])


def _reason(error: InvalidRequest | OSError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _line(each: Asked, answer: Answer[Any], width: int) -> str:
    shown = each.shown if len(each.shown) <= width else f"{each.shown[: width - 1]}…"
    return f"{shown:{width}}  {shown_labels(answer.labels)}"


def shown_labels(labels: Iterable[Label]) -> str:
    """Gives labels with their probabilities as a line of text."""
    return "   ".join(f"{label.name} {label.probability:7.2%}" for label in labels)


def _json(each: Asked, answer: Answer[Any]) -> str:
    labels = [{"label": label.name, "index": label.index, "probability": label.probability} for label in answer.labels]
    return json.dumps({**each.facts, "model": answer.model, "version": answer.version, "labels": labels})
