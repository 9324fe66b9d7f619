"""`hondo evaluate`: what a served classifier scores on the test examples of a data set, asked like any client asks.

Legend: N examples, H height, W width, C channels, F columns.
"""

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from hondo.access import Access, asks
from hondo.answer import Answer
from hondo.client import Client
from hondo.errors import InvalidRequest, WrongTask
from protos.hondo_pb2 import Model
from training import options
from training.bsds.command import edges
from training.captions.evaluate import captions
from training.data.choice import read
from training.data.dataset import PLURAL, DataSet, PictureFiles, Pictures, Raw, Rows, Sentences, image

# How many pairs of classes are printed; the JSON has all.
_MOST_MISTAKES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a served model did on a data set's test examples."""

    model: str
    version: int
    data: str
    # How many of each class got an answer, by label, in the data set's order.
    asked: Mapping[str, int]
    # How often a label was taken for another: (true, answered).
    confused: Counter[tuple[str, str]]
    # What got no answer, and why, a line each.
    refused: tuple[str, ...] = ()

    @property
    def examples(self) -> int:
        """How many examples got an answer."""
        return sum(self.asked.values())

    @property
    def wrong(self) -> int:
        """How many answers were wrong."""
        return self.confused.total()

    @property
    def error_percent(self) -> float:
        """Share of wrong answers."""
        return 100 * self.wrong / self.examples

    def missed(self, label: str) -> int:
        """Gives how many examples of a class were taken for another."""
        return sum(count for (true, _), count in self.confused.items() if true == label)

    def recall_percent(self, label: str) -> float:
        """Gives the share of a class's examples that were told right."""
        return 100 * (1 - self.missed(label) / self.asked[label])


class _Tasks(click.Group):
    """Scores a classifier where no other task is named first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_named = bool(args) and args[0] in {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if is_named else ["classifier", *args])


@click.group(cls=_Tasks, subcommand_metavar="[classifier|edges|captions] MODEL [OPTIONS]...")
def evaluate() -> None:
    """Score a served model on a data set: a classifier unless another task is named."""


evaluate.add_command(edges)
evaluate.add_command(captions)


@evaluate.command()
@click.argument("model")
@options.needed_data
@options.skip_corrupt
@asks
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def classifier(server: str, access: Access, *, model: str, data: str, skip_corrupt: bool, as_json: bool) -> None:
    """Ask a running server about every test example of a data set, and score MODEL's answers.

    Pictures that are not files are sent as PNG. The model must know just the data set's classes.
    """
    data_set = read(data, skip_corrupt=skip_corrupt)
    if not as_json:
        for note in data_set.notes:
            click.echo(note)
    with Client(server, access=access) as client:
        evaluation = ask(client, model, data_set)
    click.echo(_json(evaluation) if as_json else _text(evaluation))
    if evaluation.refused:
        count = len(evaluation.refused)
        lines = "\n".join(evaluation.refused)
        raise click.ClickException(f"{count} of {count + evaluation.examples} test examples got no answer:\n{lines}")


def ask(client: Client, model: str, data: DataSet[Raw]) -> Evaluation:
    """Asks a server about all test examples.

    Raises:
        Unavailable: no server answers.
        ModelNotFound: it does not serve the model.
        WrongTask: the model is no classifier of such examples, or not of the data set's classes.
        InvalidRequest: not one example got an answer.
    """
    served = client.get_model(model)
    _check(served, data)
    answers = list(_answers(client, served, data.test))
    refused = [f"{_name(data.test, place)}: {answer.error}" for place, answer in enumerate(answers) if answer.error]
    if len(refused) == len(answers):
        raise InvalidRequest(f"not one of {len(answers):,} test examples got an answer: {refused[0]}")
    pairs = [
        (data.labels[true], answer.found[0].name)
        for true, answer in zip(data.test.labels_N, answers, strict=True)
        if not answer.error
    ]
    true_labels = Counter(true for true, _ in pairs)
    return Evaluation(
        model=model,
        version=served.version,
        data=data.name,
        asked={label: true_labels[label] for label in data.labels if true_labels[label]},
        confused=Counter((true, taken) for true, taken in pairs if true != taken),
        refused=tuple(refused),
    )


def _check(served: Model, data: DataSet[Raw]) -> None:
    task = served.manifest.classification
    takes = task.WhichOneof("input")
    if takes is None:
        raise WrongTask(f"{served.name!r} is no classifier")
    if takes != data.kind:
        raise WrongTask(f"{served.name!r} takes {PLURAL[takes]}, but {data.name} has {PLURAL[data.kind]}")
    if set(task.labels) != set(data.labels):
        raise WrongTask(
            f"the labels of {served.name!r} are not those of {data.name}: "
            f"{', '.join(task.labels)}; not {', '.join(data.labels)}"
        )
    if isinstance(data.test, Rows) and set(task.table.columns) != set(data.test.columns):
        raise WrongTask(
            f"the columns of {served.name!r} are not those of {data.name}: "
            f"{', '.join(task.table.columns)}; not {', '.join(data.test.columns)}"
        )


def _answers(client: Client, served: Model, examples: Raw) -> Iterator[Answer[Any]]:
    model, version = served.name, served.version
    match examples:
        case Pictures():
            pictures = map(_png, examples.images_NHWC)
            return client.classify_many(pictures, model=model, version=version, top_k=1)
        case PictureFiles():
            return client.classify_many(examples.paths, model=model, version=version, top_k=1)
        case Sentences():
            return client.classify_many(texts=examples.texts, model=model, version=version, top_k=1)
        case Rows():
            columns = served.manifest.classification.table.columns
            column_F = [examples.columns.index(column) for column in columns]
            rows = examples.values_NF[:, column_F].tolist()
            return client.classify_many(rows=rows, model=model, version=version, top_k=1)


def _png(picture_HWC: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    image(picture_HWC).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _name(examples: Raw, place: int) -> str:
    return str(examples.paths[place]) if isinstance(examples, PictureFiles) else f"test example {place + 1}"


def _text(evaluation: Evaluation) -> str:
    wrong, right_percent = evaluation.wrong, 100 - evaluation.error_percent
    lines = [
        f"{evaluation.model} version {evaluation.version} on {evaluation.data}: error {evaluation.error_percent:.2f} % "
        f"({wrong:,} of {evaluation.examples:,} test examples), accuracy {right_percent:.2f} %",
        "recall by class",
    ]
    for label, count in evaluation.asked.items():
        missed = evaluation.missed(label)
        lines.append(f"  {evaluation.recall_percent(label):6.2f} %  {label} ({count - missed:,} of {count:,})")
    if evaluation.confused:
        lines.append("taken for another, most often")
    mistakes = evaluation.confused.most_common(_MOST_MISTAKES)
    lines += [f"  {count:5} x {true} for {taken}" for (true, taken), count in mistakes]
    return "\n".join(lines)


def _json(evaluation: Evaluation) -> str:
    return json.dumps(
        {
            "model": evaluation.model,
            "version": evaluation.version,
            "data": evaluation.data,
            "examples": evaluation.examples,
            "wrong": evaluation.wrong,
            "error_percent": evaluation.error_percent,
            "accuracy_percent": 100 - evaluation.error_percent,
            "classes": [
                {"label": label, "examples": count, "recall_percent": evaluation.recall_percent(label)}
                for label, count in evaluation.asked.items()
            ],
            "confused": [
                {"label": true, "answer": taken, "count": count}
                for (true, taken), count in evaluation.confused.most_common()
            ],
            "refused": list(evaluation.refused),
        },
        ensure_ascii=False,
    )
