"""`hondo evaluate`: what a served model scores on the test pictures of a data set, asked like any client asks.

Legend: N pictures, H height, W width, C channels.
"""

import asyncio
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from hondo.client import DEFAULT_SERVER, AsyncClient
from hondo.errors import WrongTask
from protos.hondo_pb2 import Model
from training.data.choice import KINDS, read
from training.data.dataset import DataSet, PictureFiles, Pictures, Raw, image

_PICTURES_A_REQUEST: Final = 50
_REQUESTS_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a served model did on a data set's test pictures."""

    model: str
    version: int
    data: str
    pictures: int
    # How often a label was taken for another: (true, answered).
    confused: Counter[tuple[str, str]]

    @property
    def wrong(self) -> int:
        """How many pictures were not told right."""
        return self.confused.total()

    @property
    def error_percent(self) -> float:
        """Share of wrong answers."""
        return 100 * self.wrong / self.pictures


@click.command()
@click.argument("model")
@click.option(
    "--data",
    metavar="FOLDER|FILE|digits",
    required=True,
    help=KINDS,
)
@click.option("--server", default=DEFAULT_SERVER, show_default=True, help="HOST:PORT of a Hondo server.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(*, model: str, data: str, server: str, as_json: bool) -> None:
    """Ask a running server about every test picture of a data set, as PNG files, and score MODEL's answers."""
    evaluation = asyncio.run(ask(model, read(data), server))
    click.echo(_json(evaluation) if as_json else _text(evaluation))


async def ask(model: str, data: DataSet[Raw], server: str) -> Evaluation:
    """Asks a server about all test pictures.

    Raises:
        Unavailable: no server answers.
        ModelNotFound: it does not serve the model.
        WrongTask: the model is no classifier of the data set's classes.
    """
    slots = asyncio.Semaphore(_REQUESTS_AT_ONCE)
    async with AsyncClient(server) as client:
        served = await client.get_model(model)
        if tuple(served.manifest.classification.labels) != data.labels:
            raise WrongTask(f"the labels of {model!r} are not those of {data.name}: {', '.join(data.labels)}")
        starts = range(0, len(data.test), _PICTURES_A_REQUEST)
        files = _files(data.test)
        parts = [files[start : start + _PICTURES_A_REQUEST] for start in starts]
        answers = await asyncio.gather(*(_classes(client, slots, served, part) for part in parts))
    confused = _confused(data, [answer for part in answers for answer in part])
    return Evaluation(model=model, version=served.version, data=data.name, pictures=len(data.test), confused=confused)


async def _classes(client: AsyncClient, slots: asyncio.Semaphore, served: Model, files: Sequence[bytes]) -> list[int]:
    async with slots:
        answer = await client.classify(files, model=served.name, version=served.version, top_k=1)
    return [result.labels[0].index for result in answer.results]


def _files(pictures: Raw) -> list[bytes]:
    match pictures:
        case Pictures():
            return [_png(picture_HWC) for picture_HWC in pictures.images_NHWC]
        case PictureFiles():
            return [path.read_bytes() for path in pictures.paths]
        case _:
            raise WrongTask("the data set has no pictures")


def _png(picture_HWC: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    image(picture_HWC).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _confused(data: DataSet[Raw], answers: Sequence[int]) -> Counter[tuple[str, str]]:
    pairs = zip(data.test.labels_N.tolist(), answers, strict=True)
    return Counter((data.labels[true], data.labels[answer]) for true, answer in pairs if true != answer)


def _text(evaluation: Evaluation) -> str:
    subject = f"{evaluation.model} version {evaluation.version} on {evaluation.data}"
    score = f"error {evaluation.error_percent:.2f} % ({evaluation.wrong:,} of {evaluation.pictures:,} test pictures)"
    lines = [f"{subject}: {score}"]
    lines += [f"{count:5} x {true} taken for {taken}" for (true, taken), count in evaluation.confused.most_common()]
    return "\n".join(lines)


def _json(evaluation: Evaluation) -> str:
    return json.dumps(
        {
            "model": evaluation.model,
            "version": evaluation.version,
            "data": evaluation.data,
            "pictures": evaluation.pictures,
            "wrong": evaluation.wrong,
            "error_percent": evaluation.error_percent,
            "confused": [
                {"label": true, "answer": taken, "count": count}
                for (true, taken), count in evaluation.confused.most_common()
            ],
        }
    )
