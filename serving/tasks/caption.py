"""Caption: a picture in, words out; it is looked at with others, and its words are said on the model's decode loop.

Legend: H height, W width, C channels, P places.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from hondo import attention, images, maps
from hondo.artifact import ENCODE, Tensors
from hondo.errors import InvalidRequest, WrongTask
from hondo.images import Limits
from protos.hondo_pb2 import CaptionRequest, CaptionResponse, EdgeFormat, Times
from serving.catalog.model import Model
from serving.contract import choice
from serving.contract.choice import TEMPERATURE, check_within
from serving.decode.graphs import Graphs
from serving.decode.job import Job, Search
from serving.tasks.telling import Telling, Words

Made = TypeVar("Made")

_MOST_WORDS: Final = 50
_MOST_CAPTIONS: Final = 32
_MOST_PENALTY: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a request comes to, with the model's own settings where it has none."""

    words: int
    # 1 where one word is said after another.
    beam: int
    captions: int
    length_penalty: float
    controls: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A picture as the model takes it, and how large it is itself."""

    image_HWC: NDArray[np.uint8]
    height: int
    width: int


class Captioner:
    """A model whose task is captioning."""

    def __init__(self, model: Model, workers: Executor, limits: Limits) -> None:
        assert model.artifact is not None, "a model with a task has a manifest"
        self.name = model.name
        self._model = model
        self._workers = workers
        self._limits = limits
        self._task = model.artifact.manifest.captioning
        self._vocabulary = list(self._task.vocabulary)
        self._start = np.array([self._task.start], np.int64)
        self._end = np.array([self._task.end], np.int64)
        self._graphs = Graphs.of_captioner(model.sessions)
        self._image = model.sessions[ENCODE].inputs[0].name
        self._seen = [each.name for each in model.sessions[ENCODE].outputs]

    async def caption(self, request: CaptionRequest) -> AsyncGenerator[CaptionResponse]:
        """Says what is in a picture."""
        began_s = time.monotonic()
        asked = self._asked(request)
        with self._model.loop.expects():
            picture = await self._off_loop(self._read, request.image)
            seen = await self._look(picture, request)
        times = Times(seen_ms=_since_ms(began_s))
        job = self._job(request, asked, seen)
        response = CaptionResponse(
            model=self.name, version=self._model.version, seed=job.seed, height=picture.height, width=picture.width
        )
        words = Words(vocabulary=self._vocabulary, end=self._task.end, length_penalty=asked.length_penalty)
        telling = Telling(words, asked.captions, with_attention=request.attention)
        stream = self._model.loop.begin(job, request.queue_timeout_ms or None)
        try:
            while not telling.is_over:
                told = telling.go_on(await stream.take())
                times.first_word_ms = times.first_word_ms or _since_ms(began_s)
                for number, part in enumerate(told, 1):
                    response.MergeFrom(await self._with_maps(part, picture) if request.attention else part)
                    # The last of it goes with what is said of the whole.
                    if number < len(told) or not telling.is_over:
                        yield response
                        response = CaptionResponse()
        finally:
            self._model.loop.leave(stream)
        times.total_ms = _since_ms(began_s)
        response.MergeFrom(CaptionResponse(captions=telling.captions(), times=times))
        yield response

    def _asked(self, request: CaptionRequest) -> _Asked:
        """Gives what a request comes to.

        Raises:
            InvalidRequest: a setting is out of its range, or at odds with another.
            WrongTask: the model cannot say where it looked.
        """
        if request.attention and not self._graphs.places:
            raise WrongTask(f"model {self.name!r} cannot say where it looked: it sees the picture as a whole")
        most = min(self._graphs.candidates, self._model.loop.slots)
        check_within("max_words", request.max_words, 0, _MOST_WORDS)
        check_within("beam_width", request.beam_width, 0, most)
        beam, captions = request.beam_width or 1, request.captions or 1
        controls = choice.controls(request, temperature=0)
        if beam > 1 and controls[TEMPERATURE]:
            raise InvalidRequest("temperature: a beam takes the most probable words: ask for one or the other")
        if beam > 1 and captions > beam:
            raise InvalidRequest(f"captions: {captions} came, but a beam of {beam} has no more than {beam}")
        if captions > 1 and beam == 1 and not controls[TEMPERATURE]:
            raise InvalidRequest(f"captions: {captions} came, but at temperature 0 there is one alone")
        check_within("captions", captions, 1, _MOST_CAPTIONS)
        penalty = request.length_penalty if request.HasField("length_penalty") else self._task.length_penalty
        check_within("length_penalty", penalty, 0, _MOST_PENALTY)
        return _Asked(
            words=request.max_words or self._task.max_words,
            beam=beam,
            captions=captions,
            length_penalty=penalty,
            controls=controls,
        )

    def _read(self, file: bytes) -> _Picture:
        picture = images.decode(file, self._limits)
        return _Picture(images.fit(picture, self._task.image), picture.height, picture.width)

    async def _look(self, picture: _Picture, request: CaptionRequest) -> Tensors:
        """Gives what is known of a picture before the first word."""
        feeds: Tensors = {self._image: picture.image_HWC[np.newaxis]}
        timeout_ms = request.queue_timeout_ms or None
        return await self._model.batcher(ENCODE).run(feeds, self._seen, timeout_ms=timeout_ms)

    def _job(self, request: CaptionRequest, asked: _Asked, seen: Tensors) -> Job:
        parts = {name: array[0].astype(np.float32, copy=False) for name, array in seen.items()}
        state = [parts.pop(each.name) for each in self._graphs.states]
        search = Search(
            end=self._task.end,
            length_penalty=asked.length_penalty,
            wanted=asked.captions,
            shows_best=request.best_so_far,
        )
        return Job(
            tokens_T=self._start,
            rows=asked.beam if asked.beam > 1 else asked.captions,
            limit=asked.words,
            constants=asked.controls | parts,
            stops=() if asked.beam > 1 else (self._end,),
            state=state,
            search=search if asked.beam > 1 else None,
            seed=choice.seed(request),
            interval_s=choice.interval_s(request),
        )

    async def _with_maps(self, told: CaptionResponse, picture: _Picture) -> CaptionResponse:
        for word in told.words:
            word.attention.map = await self._off_loop(self._map, word.attention.weights, picture)
        return told

    def _map(self, weights: Sequence[float], picture: _Picture) -> bytes:
        weights_P = np.array(weights, np.float32)
        return maps.encode(attention.spread(weights_P, self._task, picture.height, picture.width), EdgeFormat.PNG_8)

    async def _off_loop(self, function: Callable[..., Made], *arguments: object) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *arguments)


def _since_ms(began_s: float) -> float:
    return (time.monotonic() - began_s) * 1000
