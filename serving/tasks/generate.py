"""Generate and Score: texts in, texts and their probabilities out, on a model's decode loop."""

import math
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import numpy as np

from hondo import characters, substitutes
from hondo.errors import InvalidRequest
from hondo.text import MAX_CHARACTERS
from protos.hondo_pb2 import GenerateRequest, GenerateResponse, ScoreRequest, ScoreResponse
from serving.catalog.model import Model
from serving.contract import choice
from serving.contract.choice import check_within
from serving.decode.batch import MAX_STOPS
from serving.decode.job import Job, Tokens
from serving.tasks.continuation import Continuation

_DEFAULT_CHARACTERS: Final = 500
_MOST_CHARACTERS: Final = 1_000_000
_MOST_CONTINUATIONS: Final = 32
_MOST_STOP_CHARACTERS: Final = 100


class Writer:
    """A model whose task is text generation."""

    def __init__(self, model: Model) -> None:
        assert model.artifact is not None, "a model with a task has a manifest"
        task = model.artifact.manifest.text_generation
        self.name = model.name
        self._model = model
        self._vocabulary = list(task.vocabulary)
        self._ids = characters.index(self._vocabulary)
        self._start = np.array([task.start], np.int64)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateResponse]:
        """Writes on from a prompt."""
        job = self._job(request)
        texts = [
            Continuation(self._vocabulary, request.stop, log_probabilities=request.log_probabilities)
            for _ in range(job.rows)
        ]
        response = GenerateResponse(
            model=self.name,
            version=self._model.version,
            seed=job.seed,
            prompt_characters=len(job.tokens_T) - 1,
        )
        stream = self._model.loop.begin(job, request.queue_timeout_ms or None)
        try:
            while pieces := await stream.take():
                continued = [texts[piece.row].go_on(piece) for piece in pieces]
                response.continued.extend(each for each in continued if each is not None)
                if response.continued:
                    yield response
                    response = GenerateResponse()
        finally:
            self._model.loop.leave(stream)

    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """Says how well the model foretells a text."""
        tokens_T = self._read("text", request.text, replace=request.replace_unknown)
        if len(tokens_T) == 1:
            raise InvalidRequest("text: there is no character in it")
        stream = self._model.loop.begin(Job(tokens_T=tokens_T, rows=0), request.queue_timeout_ms or None)
        try:
            (piece,) = await stream.take()
        finally:
            self._model.loop.leave(stream)
        count = len(tokens_T) - 1
        log_likelihood = float(piece.log_probability_T.sum(dtype=np.float64))
        return ScoreResponse(
            model=self.name,
            version=self._model.version,
            characters=count,
            log_likelihood=log_likelihood,
            bits_per_character=-log_likelihood / (count * math.log(2)),
            log_probabilities=piece.log_probability_T[1:].tolist() if request.log_probabilities else (),
        )

    def _job(self, request: GenerateRequest) -> Job:
        check_within("max_characters", request.max_characters, 0, _MOST_CHARACTERS)
        check_within("continuations", request.continuations, 0, _MOST_CONTINUATIONS)
        return Job(
            tokens_T=self._read("prompt", request.prompt, replace=request.replace_unknown),
            rows=request.continuations or 1,
            limit=request.max_characters or _DEFAULT_CHARACTERS,
            constants=choice.controls(request, temperature=1),
            stops=self._stops(request.stop),
            seed=choice.seed(request),
            interval_s=choice.interval_s(request),
        )

    def _read(self, field: str, text: str, *, replace: bool) -> Tokens:
        """Gives a text's tokens after the one that stands before every text."""
        if len(text) > MAX_CHARACTERS:
            raise InvalidRequest(f"{field}: it has {len(text):,} characters, at most {MAX_CHARACTERS:,} are taken")
        known = substitutes.replaced(text, self._ids) if replace else text
        return np.concatenate([self._start, self._encode(field, known)])

    def _stops(self, stops: Sequence[str]) -> list[Tokens]:
        check_within("stop", len(stops), 0, MAX_STOPS)
        for index, stop in enumerate(stops):
            check_within(f"stop[{index}]: its length", len(stop), 1, _MOST_STOP_CHARACTERS)
        return [self._encode(f"stop[{index}]", stop) for index, stop in enumerate(stops)]

    def _encode(self, field: str, text: str) -> Tokens:
        try:
            return characters.encode(text, self._ids)
        except InvalidRequest as error:
            raise InvalidRequest(f"{field}: {error}") from error
