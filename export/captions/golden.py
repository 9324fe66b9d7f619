"""Golden samples of a net that makes captions: what its graphs are to give for real pictures and given numbers.

Legend: N pictures, H height, W width, C channels.
"""

from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from export.captions import signature
from export.captions.describer import Describer, step_feeds
from export.captions.gate import TOLERANCE, controls
from export.captions.said import Said
from export.signature import IMAGE
from export.writing.gate import off_state
from export.writing.signature import LOG_PROBABILITY, NEXT_TOKEN
from export.writing.written import Controls
from hondo import artifact
from hondo.artifact import ENCODE, STEP, Artifact, Tensors
from hondo.errors import ParityError
from protos.manifest_pb2 import Captioning, File

_PICTURES: Final = 3
# Words that were said before the one that "step" is to say.
_WORDS: Final = 2


class Author(Protocol):
    """Who gives the outputs: the net in PyTorch, or the published graphs themselves."""

    def look(self, image_NHWC: NDArray[np.uint8]) -> Tensors:
        """Gives what is known of pictures before the first word."""

    def say(self, seen: Tensors, token_N: NDArray[np.int64], how: Controls) -> Said:
        """Says tokens."""


def write(author: Author, task: Captioning, image_NHWC: NDArray[np.uint8], folder: Path) -> File:
    """Writes samples of both graphs: pictures are looked at, and a word is said in the middle of a caption.

    Args:
        author: gives the outputs.
        task: its tokens.
        image_NHWC: real pictures.
        folder: where the file goes.
    """
    images = image_NHWC[:_PICTURES]
    seen = author.look(images)
    how = controls(len(images), _WORDS + 1)
    before = author.say(seen, np.full(len(images), task.start, np.int64), _part(how, slice(0, _WORDS)))
    now, last = seen | before.state, _part(how, slice(_WORDS, None))
    token_N = np.ascontiguousarray(before.tokens_NT[:, -1])
    arrays: Tensors = {
        f"{ENCODE}/in/{IMAGE}": images,
        **{f"{ENCODE}/out/{name}": part for name, part in seen.items()},
        **{f"{STEP}/in/{name}": value for name, value in step_feeds(now, token_N, last).items()},
        **{f"{STEP}/out/{name}": value for name, value in _outputs(author.say(now, token_N, last)).items()},
    }
    np.savez_compressed(folder / artifact.GOLDEN, allow_pickle=False, **arrays)
    return artifact.describe(folder / artifact.GOLDEN)


def _part(how: Controls, places: slice) -> Controls:
    return Controls(
        temperature_N=how.temperature_N,
        top_k_N=how.top_k_N,
        top_p_N=how.top_p_N,
        uniform_NT=how.uniform_NT[:, places],
    )


def _outputs(said: Said) -> Tensors:
    """Gives the outputs of "step" that said one token."""
    attention_NP = said.attention_NTP[:, 0]
    return {
        NEXT_TOKEN: said.tokens_NT,
        LOG_PROBABILITY: said.log_probability_NT,
        signature.CANDIDATE: said.candidate_NTB[:, 0],
        signature.CANDIDATE_LOG_PROBABILITY: said.candidate_log_probability_NTB[:, 0],
        **({signature.ATTENTION: attention_NP} if attention_NP.size else {}),
        **{f"next_{name}": part for name, part in said.state.items()},
    }


def check(read: Artifact, describer: Describer, author: str) -> None:
    """Checks that the golden samples, as they lie on disk, come out of the graphs.

    Raises:
        ParityError: they do not; the text says which.
    """
    for role, session in ((ENCODE, describer.encode), (STEP, describer.step)):
        inputs, outputs = read.golden(role)
        found = session.run(inputs)
        for name, expected in outputs.items():
            worst = off_state(found[name].astype(np.float64), expected.astype(np.float64))
            if not worst <= (TOLERANCE if expected.dtype.kind == "f" else 0):
                raise ParityError(
                    f"graph {role!r}, golden samples: {name} differs by up to {worst:.2g} from {author}'s"
                )
