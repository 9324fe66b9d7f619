"""What the manifest of a model that makes captions says, held against its graphs before anyone asks."""

from collections.abc import Mapping

import numpy as np

from hondo import images
from hondo.artifact import ENCODE, STEP
from hondo.errors import InvalidArtifact, InvalidRequest
from protos.manifest_pb2 import Captioning
from serving.contract import choice
from serving.decode.graphs import TOKEN, Graphs
from serving.runtime.session import Session, in_words


def check(task: Captioning, sessions: Mapping[str, Session]) -> None:
    """Holds that the manifest says all that is needed, and that the graphs take and give what it says.

    Raises:
        InvalidArtifact: the manifest contradicts itself, or the graphs are not what it takes.
    """
    graphs = Graphs.of_captioner(sessions)
    images.check(task.image)
    image_HWC = [task.image.height, task.image.width, task.image.channels]
    taken = [(each.datatype.name, each.wire_shape) for each in sessions[ENCODE].inputs]
    if taken != [("UINT8", [-1, *image_HWC])]:
        has = in_words(sessions[ENCODE].inputs)
        raise InvalidArtifact(f"image: the manifest makes of a picture UINT8{image_HWC}, graph {ENCODE!r} takes {has}")
    choice.check_inputs(graphs.constants)
    _check_words(task)
    _check_knows_words(task, sessions[STEP])
    if task.grid_height * task.grid_width != graphs.places:
        grid = f"{task.grid_height} x {task.grid_width}"
        raise InvalidArtifact(f"grid: the manifest has {grid} places, graph {STEP!r} tells of {graphs.places}")


def _check_words(task: Captioning) -> None:
    if len(set(task.vocabulary)) != len(task.vocabulary):
        raise InvalidArtifact("captioning: the vocabulary has a word twice")
    special = [task.end, task.start, task.unknown]
    if len(set(special)) != len(special) or max(special) >= len(task.vocabulary):
        raise InvalidArtifact(
            f"captioning: end, start and unknown are tokens {special} of {len(task.vocabulary)}, three of them expected"
        )
    if not task.max_words:
        raise InvalidArtifact("max_words: 0, at least 1 expected")
    if not task.length_penalty >= 0:
        raise InvalidArtifact(f"length_penalty: {task.length_penalty:g}, at least 0 expected")


def _check_knows_words(task: Captioning, step: Session) -> None:
    """Holds that graph "step" takes the id of every word: where it takes the last, it takes all."""
    last = len(task.vocabulary) - 1
    feeds = {each.name: np.zeros([1, *each.wire_shape[1:]], each.datatype.numpy) for each in step.inputs}
    try:
        step.run({**feeds, TOKEN: np.array([last])})
    except InvalidRequest as error:
        raise InvalidArtifact(
            f"captioning: the vocabulary has {last + 1} words, graph {STEP!r} has not: {error}"
        ) from error
