"""A piece of what a model writes, as a client gets it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protos.hondo_pb2 import Ending, GenerateResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one continuation goes on with."""

    text: str
    # Which continuation, from 0.
    continuation: int
    # The natural logarithm of each character's probability; empty unless asked for.
    log_probabilities: Sequence[float]
    # With the continuation's last piece: why it ended, its characters, their log-likelihood. None with all others.
    ending: Ending | None
    # The model and version that write, and the seed that makes them write the same again.
    model: str
    version: int
    seed: int


class Pieces:
    """Makes pieces of the messages of one stream: what only the first one says goes into all."""

    def __init__(self) -> None:
        self._model = ""
        self._version = 0
        self._seed = 0

    def of(self, response: GenerateResponse) -> Iterator[Piece]:
        """Goes through the pieces of the next message."""
        if response.model:
            self._model, self._version, self._seed = response.model, response.version, response.seed
        for each in response.continued:
            yield Piece(
                text=each.text,
                continuation=each.continuation,
                log_probabilities=each.log_probabilities,
                ending=each.ending if each.HasField("ending") else None,
                model=self._model,
                version=self._version,
                seed=self._seed,
            )
