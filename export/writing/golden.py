"""Golden samples of a net that writes: what its graphs are to give for real text and given numbers.

Legend: N batch, T tokens, K tokens a run of "step" writes.
"""

from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from export.signature import TOKENS
from export.writing import gate, signature
from export.writing.writer import Writer
from export.writing.written import Controls, Floats, Written
from hondo import artifact
from hondo.artifact import PREFILL, STEP, Artifact, Tensors
from hondo.errors import ParityError
from protos.manifest_pb2 import File

_ROWS: Final = 8
_CHARACTERS: Final = 64
_SEED: Final = 6


class Author(Protocol):
    """Who gives the outputs: the net in PyTorch, or the published graphs themselves."""

    def read(
        self, tokens_NT: NDArray[np.int64], length_N: NDArray[np.int64], before: list[Floats]
    ) -> tuple[Floats, list[Floats]]:
        """Gives log_probability_NT and the state after a text."""

    def write(self, token_N: NDArray[np.int64], before: list[Floats], how: Controls) -> Written:
        """Writes tokens."""


def write(author: Author, writer: Writer, text_T: NDArray[np.int64], folder: Path) -> File:
    """Writes samples of both graphs: text of several lengths is read, then written on from, greedily and by chance.

    Args:
        author: gives the outputs.
        writer: the graphs, for the names of their state.
        text_T: real text.
        folder: where the file goes.
    """
    tokens_NT = gate.pieces(text_T, _ROWS, _CHARACTERS)
    length_N = _CHARACTERS - 9 * np.arange(_ROWS)
    start, how = writer.first_state(_ROWS), _controls(writer.steps)
    log_probability_NT, state = author.read(tokens_NT, length_N, start)
    token_N = tokens_NT[np.arange(_ROWS), length_N - 1]
    written = author.write(token_N, state, how)
    arrays: Tensors = {
        f"{PREFILL}/in/{TOKENS}": tokens_NT,
        f"{PREFILL}/in/{signature.LENGTH}": length_N,
        **{f"{PREFILL}/in/{name}": part for name, part in writer.named(start).items()},
        f"{PREFILL}/out/{signature.LOG_PROBABILITY}": log_probability_NT,
        **{f"{PREFILL}/out/next_{name}": part for name, part in writer.named(state).items()},
        **{f"{STEP}/in/{name}": value for name, value in writer.step_feeds(token_N, state, how).items()},
        f"{STEP}/out/{signature.NEXT_TOKEN}": written.tokens_NT,
        f"{STEP}/out/{signature.LOG_PROBABILITY}": written.log_probability_NT,
        **{f"{STEP}/out/next_{name}": part for name, part in writer.named(written.state).items()},
    }
    np.savez_compressed(folder / artifact.GOLDEN, allow_pickle=False, **arrays)
    return artifact.describe(folder / artifact.GOLDEN)


def _controls(steps: int) -> Controls:
    row_N = np.arange(_ROWS)
    return Controls(
        temperature_N=np.array([0, 1, 0.7, 1.2], np.float32)[row_N % 4],
        top_k_N=np.array([0, 0, 10])[row_N % 3],
        top_p_N=np.array([1, 0.9], np.float32)[row_N // 4],
        uniform_NT=np.random.default_rng(_SEED).random((_ROWS, steps), np.float32),
    )


def check(read: Artifact, writer: Writer, author: str) -> None:
    """Checks that the golden samples, as they lie on disk, come out of the graphs.

    Raises:
        ParityError: they do not; the text says which.
    """
    for role, session in ((PREFILL, writer.prefill), (STEP, writer.step)):
        inputs, outputs = read.golden(role)
        found = session.run(inputs)
        for name, expected in outputs.items():
            worst = gate.off_state(found[name].astype(np.float64), expected.astype(np.float64))
            if not worst <= (gate.TOLERANCE if expected.dtype.kind == "f" else 0):
                raise ParityError(
                    f"graph {role!r}, golden samples: {name} differs by up to {worst:.2g} from {author}'s"
                )
