"""A served captioner on pictures that people have told of: its captions asked for, and measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hondo.caption import Whole, each_in_turn
from hondo.client import Client
from hondo.errors import MissingData, WrongTask
from training.captions.measures import Measured, measure
from training.data.captioned import Captioned


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What a served model scores."""

    model: str
    version: int
    pictures: Captioned
    # One of each picture.
    said: Sequence[str]
    measured: Measured


def judge(
    client: Client,
    model: str,
    pictures: Captioned,
    done: Callable[[], object],
    *,
    beam: int = 1,
    length_penalty: float | None = None,
) -> Judged:
    """Asks a server for captions of pictures, and measures them.

    Args:
        client: of the server.
        model: the captioner's name.
        pictures: the pictures, and what people said of them.
        done: called when another one has its caption.
        beam: how wide.
        length_penalty: the model's own unless given.

    Raises:
        MissingData: a picture cannot be read.
        WrongTask: the model makes no captions.
        HondoError: the server does not answer.
    """
    served = client.get_model(model)
    if not served.manifest.HasField("captioning"):
        raise WrongTask(f"{model!r} makes no captions")
    files = (file.read() for file in pictures.files)
    settings = {"model": served.name, "version": served.version, "length_penalty": length_penalty}
    said = []
    for file, answer in zip(pictures.files, each_in_turn(client, files, beam_width=beam, **settings), strict=True):
        if not isinstance(answer, Whole):
            raise MissingData(f"{file.place / file.name} has no caption: {answer}")
        said.append(answer.captions[0].text)
        done()
    return Judged(
        model=served.name,
        version=served.version,
        pictures=pictures,
        said=said,
        measured=measure(said, pictures.captions),
    )
